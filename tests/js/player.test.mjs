import assert from "node:assert/strict";
import { test } from "node:test";

import { HAND_BONES, advance, clockText, duration, frameAt, handLines, readTrack } from "../../js/lib/player.js";

const UNSEEN = Array(84).fill(null);
const track = (frames, fps = 25) => ({ fps, canvas: [96, 128], frames: Array(frames).fill(UNSEEN) });

test("a hand has twenty bones: five fingers of four, each from the wrist", () => {
  const fromWrist = HAND_BONES.filter(([start]) => start === 0).map(([, end]) => end);
  assert.deepEqual(fromWrist, [1, 5, 9, 13, 17]);
  assert.deepEqual(HAND_BONES.map(([, end]) => end), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.ok(HAND_BONES.every(([start, end]) => start === 0 || start === end - 1));
});

test("a track lasts frames / fps", () => assert.equal(duration(track(50)), 2));

test("each frame is seen for 1 / fps, the last one to the end", () => {
  assert.deepEqual([0, 0.039, 0.04, 1.999, 2, 99, -1].map((at) => frameAt(at, track(50))), [0, 0, 1, 49, 49, 49, 0]);
});

test("no frame is skipped or shown twice by rounding", () => {
  for (const fps of [24, 25, 29.97, 30, 60])
    for (let frame = 0; frame < 1000; frame += 1) assert.equal(frameAt(frame / fps, track(1000, fps)), frame);
});

test("without a voice the clock adds what has elapsed", () => {
  assert.deepEqual(advance(1, 0.25, { length: 2, voice: null }), { seconds: 1.25, again: false });
});

test("a playing voice leads", () => {
  assert.deepEqual(advance(1, 0.25, { length: 2, voice: 1.1 }), { seconds: 1.1, again: false });
});

test("at the end all starts anew", () => {
  assert.deepEqual(advance(1.9, 0.25, { length: 2, voice: null }), { seconds: 0, again: true });
  assert.deepEqual(advance(1.9, 0, { length: 2, voice: 7 }), { seconds: 0, again: true });
});

test("the first 42 numbers are the left hand, the others the right", () => {
  const frame = Array.from({ length: 84 }, (_, i) => i);
  const [left, right] = handLines(frame);
  assert.deepEqual(left[0], [0, 1, 2, 3]);
  assert.deepEqual(right[0], [42, 43, 44, 45]);
  assert.equal(left.length + right.length, 40);
});

test("bones of unseen points are left out, those left of the picture are not", () => {
  assert.deepEqual(handLines(UNSEEN), [[], []]);
  const frame = [...UNSEEN];
  frame.splice(0, 4, -1, -1, -20, -1); // wrist and thumb's root, both seen, both outside
  assert.deepEqual(handLines(frame), [[[-1, -1, -20, -1]], []]);
});

test("the clock counts minutes, seconds, tenths", () => {
  assert.deepEqual([0, 7.44, 59.96, 60, 600.1].map(clockText), ["0:00.0", "0:07.4", "0:59.9", "1:00.0", "10:00.1"]);
});

test("what cannot be played is refused", () => {
  assert.ok(readTrack(track(1)));
  for (const broken of [
    null,
    {},
    { ...track(1), fps: 0 },
    { ...track(1), frames: [] },
    { ...track(1), frames: [[1, 2]] },
    { ...track(1), canvas: [0, 5] },
    { ...track(1), canvas: undefined },
  ])
    assert.equal(readTrack(broken), null);
});
