/** A hand track as lines over time; nothing of the page. */

const HAND_POINTS = 21;

/** Each finger runs from the wrist (0) over four joints. */
export const HAND_BONES = Array.from({ length: 20 }, (_, bone) => [bone % 4 === 0 ? 0 : bone, bone + 1]);

/** Seconds of a whole track. */
export function duration(track) {
  return track.frames.length / track.fps;
}

/** The frame that is seen at a time; the last one stays for its whole duration. */
export function frameAt(seconds, track) {
  const frame = Math.floor(seconds * track.fps + 1e-6);
  return Math.min(Math.max(frame, 0), track.frames.length - 1);
}

/**
 * Where the clock stands after `elapsed` seconds, round and round.
 *
 * The voice leads while it plays, so that hands never drift from it; `voice` is its time in seconds or null.
 * `again` says that the track has just started anew, and the voice should too.
 */
export function advance(seconds, elapsed, { length, voice }) {
  const next = voice ?? seconds + elapsed;
  return next < length ? { seconds: next, again: false } : { seconds: 0, again: true };
}

/** Lines of one frame: [[x0, y0, x1, y1], ...] for the left and for the right hand; null marks an unseen point. */
export function handLines(frame) {
  return [0, 1].map((hand) =>
    HAND_BONES.map(([start, end]) => [...pointAt(frame, hand, start), ...pointAt(frame, hand, end)]).filter(bothSeen),
  );
}

/** "0:07.4" */
export function clockText(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = `${Math.floor((tenths % 600) / 10)}`.padStart(2, "0");
  return `${Math.floor(tenths / 600)}:${rest}.${tenths % 10}`;
}

/** A track that can be played, or null: results may come from another version of the pack. */
export function readTrack(entry) {
  const sound = entry?.fps > 0 && Array.isArray(entry.frames) && entry.frames.length > 0;
  const sized = Array.isArray(entry?.canvas) && entry.canvas.length === 2 && entry.canvas.every((side) => side > 0);
  const shaped = sound && entry.frames.every((frame) => frame.length === 4 * HAND_POINTS);
  return shaped && sized ? entry : null;
}

function pointAt(frame, hand, point) {
  const at = 2 * (hand * HAND_POINTS + point);
  return [frame[at], frame[at + 1]];
}

function bothSeen([x0, y0, x1, y1]) {
  return [x0, y0, x1, y1].every(Number.isFinite);
}
