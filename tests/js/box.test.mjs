import assert from "node:assert/strict";
import { test } from "node:test";

import { centreCrop, dragged, fitInto, formatBox, gripAt, hasArea, parseBox, sliderBox } from "../../js/lib/box.js";

const CANVAS = [96, 128];
const BOX = [20, 40, 60, 100];

test("a written box reads back as itself", () => {
  assert.deepEqual(parseBox(formatBox([1.5, 2, 30, 40.2])), [1.5, 2, 30, 40.2]);
});

test("a box is written in tenths of a pixel, without needless zeros", () => {
  assert.equal(formatBox([1.23, 2, 30.06, 40]), "1.2,2,30.1,40");
});

test("spaces in a typed box do no harm", () => {
  assert.deepEqual(parseBox(" 1, 2 ,3,4 "), [1, 2, 3, 4]);
});

for (const text of ["", null, undefined, "1,2,3", "1,2,3,4,5", "1,,3,4", "a,b,c,d", "5,2,3,4", "1,4,3,4", "1,2,Infinity,4"])
  test(`${JSON.stringify(text)} is no box`, () => assert.equal(parseBox(text), null));

test("the sliders' box is centred on the thorax", () => {
  assert.deepEqual(sliderBox([48, 64], CANVAS, [0.5, 0.25]), [24, 48, 72, 80]);
});

for (const [point, grip] of [
  [[20, 40], "nw"],
  [[60, 100], "se"],
  [[61, 39], "ne"],
  [[18, 101], "sw"],
  [[40, 41], "n"],
  [[59, 70], "e"],
  [[40, 70], "move"],
  [[5, 5], "new"],
  [[40, 110], "new"],
])
  test(`at ${point} the pointer means "${grip}"`, () => assert.equal(gripAt(BOX, point, 3), grip));

test("without a box every place starts one", () => assert.equal(gripAt(null, [40, 70], 3), "new"));

test("even a tiny box can be moved by its middle", () => {
  assert.equal(gripAt([10, 10, 13, 13], [11.5, 11.5], 8), "move");
});

test("drawing from any corner gives the same box", () => {
  const drawn = (from, to) => dragged(null, "new", { from, to, canvas: CANVAS });
  assert.deepEqual(drawn([10, 90], [50, 30]), [10, 30, 50, 90]);
  assert.deepEqual(drawn([50, 30], [10, 90]), [10, 30, 50, 90]);
});

test("a drawn box ends at the picture's edge", () => {
  assert.deepEqual(dragged(null, "new", { from: [-9, 5], to: [500, 500], canvas: CANVAS }), [0, 5, 96, 128]);
});

test("moving keeps the size and stops at the edge", () => {
  assert.deepEqual(dragged(BOX, "move", { from: [40, 70], to: [45, 60], canvas: CANVAS }), [25, 30, 65, 90]);
  assert.deepEqual(dragged(BOX, "move", { from: [40, 70], to: [400, 700], canvas: CANVAS }), [56, 68, 96, 128]);
});

test("resizing moves the gripped sides only", () => {
  assert.deepEqual(dragged(BOX, "e", { from: [60, 70], to: [70, 90], canvas: CANVAS }), [20, 40, 70, 100]);
  assert.deepEqual(dragged(BOX, "nw", { from: [20, 40], to: [10, 30], canvas: CANVAS }), [10, 30, 60, 100]);
});

test("a side dragged over the opposite one turns the box round", () => {
  assert.deepEqual(dragged(BOX, "w", { from: [20, 70], to: [80, 70], canvas: CANVAS }), [60, 40, 80, 100]);
});

test("a drag does not change the box it began with", () => {
  const start = [...BOX];
  dragged(start, "se", { from: [60, 100], to: [5, 5], canvas: CANVAS });
  assert.deepEqual(start, BOX);
});

test("a click draws nothing", () => {
  assert.equal(hasArea([10, 10, 10, 10]), false);
  assert.equal(hasArea([10, 10, 12, 12]), true);
});

test("a picture lies whole and centred in its view", () => {
  assert.deepEqual(fitInto([96, 128], [200, 128]), { scale: 1, left: 52, top: 0 });
});

test("the kept part has the proportions of the canvas, as ImageScale's center crop", () => {
  assert.deepEqual(centreCrop([200, 100], [50, 50]), [50, 0, 100, 100]);
  assert.deepEqual(centreCrop([96, 256], CANVAS), [0, 64, 96, 128]);
});
