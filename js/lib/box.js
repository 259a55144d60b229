/**
 * The movement box as numbers: text and back, where a pointer grips it, what a drag makes of it.
 *
 * Boxes are [x0, y0, x1, y1] and points [x, y] in pixels of the picture, whose size is canvas = [width, height].
 */

const SMALLEST_PX = 1;

/** Read "x0,y0,x1,y1"; null when the text is empty or is no box with an area. */
export function parseBox(text) {
  const parts = String(text ?? "").split(",");
  const box = parts.map((part) => (part.trim() === "" ? NaN : Number(part)));
  const whole = box.length === 4 && box.every(Number.isFinite);
  return whole && box[2] > box[0] && box[3] > box[1] ? box : null;
}

/** Write a box with at most one digit after the point: small models have pictures of 96 pixels. */
export function formatBox(box) {
  return box.map((value) => String(Math.round(value * 10) / 10)).join(",");
}

/** The box that the sliders ask for: fractions of the picture, centred on the thorax. */
export function sliderBox(thorax, canvas, fractions) {
  const half = [(canvas[0] * fractions[0]) / 2, (canvas[1] * fractions[1]) / 2];
  return [thorax[0] - half[0], thorax[1] - half[1], thorax[0] + half[0], thorax[1] + half[1]];
}

/**
 * Say what a pointer at this point would do: "nw", "n", ... resize, "move" inside, "new" anywhere else.
 * `reach` is how far from an edge, in pixels of the picture, the edge is still gripped.
 */
export function gripAt(box, point, reach) {
  if (!box) return "new";
  const [x, y] = point;
  const near = x >= box[0] - reach && x <= box[2] + reach && y >= box[1] - reach && y <= box[3] + reach;
  if (!near) return "new";
  const row = side(y, box[1], box[3], reach, ["n", "s"]);
  const column = side(x, box[0], box[2], reach, ["w", "e"]);
  return row + column || "move";
}

/** The pointer's look over a grip. */
export function cursorFor(grip) {
  if (grip === "move" || grip === "new") return grip === "move" ? "move" : "crosshair";
  if (grip.length === 1) return grip === "n" || grip === "s" ? "ns-resize" : "ew-resize";
  return grip === "nw" || grip === "se" ? "nwse-resize" : "nesw-resize";
}

/** What the box becomes when the pointer goes from one point to another; stays inside the picture. */
export function dragged(box, grip, { from, to, canvas }) {
  if (grip === "new") return ordered([...inside(from, canvas), ...inside(to, canvas)]);
  const by = [to[0] - from[0], to[1] - from[1]];
  if (grip === "move") return moved(box, by, canvas);
  const next = [...box];
  if (grip.includes("w")) next[0] += by[0];
  if (grip.includes("e")) next[2] += by[0];
  if (grip.includes("n")) next[1] += by[1];
  if (grip.includes("s")) next[3] += by[1];
  const turned = ordered(next);
  return [...inside(turned.slice(0, 2), canvas), ...inside(turned.slice(2), canvas)];
}

/** A click without a drag draws nothing. */
export function hasArea(box) {
  return box[2] - box[0] >= SMALLEST_PX && box[3] - box[1] >= SMALLEST_PX;
}

/** How a picture of size `inner` lies whole and centred in a view of size `outer`. */
export function fitInto(inner, outer) {
  const scale = Math.min(outer[0] / inner[0], outer[1] / inner[1]);
  return { scale, left: (outer[0] - inner[0] * scale) / 2, top: (outer[1] - inner[1] * scale) / 2 };
}

/** The part [x, y, width, height] of a picture that the native ImageScale keeps with crop "center". */
export function centreCrop(picture, canvas) {
  const scale = Math.max(canvas[0] / picture[0], canvas[1] / picture[1]);
  const size = [canvas[0] / scale, canvas[1] / scale];
  return [(picture[0] - size[0]) / 2, (picture[1] - size[1]) / 2, ...size];
}

/** The middle third of a side always moves the box, however small it is. */
function side(value, low, high, reach, names) {
  const depth = Math.min(reach, (high - low) / 3);
  if (value < low + depth) return names[0];
  return value > high - depth ? names[1] : "";
}

function moved(box, by, canvas) {
  const x = clamp(by[0], -box[0], canvas[0] - box[2]);
  const y = clamp(by[1], -box[1], canvas[1] - box[3]);
  return [box[0] + x, box[1] + y, box[2] + x, box[3] + y];
}

function ordered([x0, y0, x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

function inside(point, canvas) {
  return [clamp(point[0], 0, canvas[0]), clamp(point[1], 0, canvas[1])];
}

/** A box larger than the picture cannot be moved: low then exceeds high, and the middle is kept. */
function clamp(value, low, high) {
  return low > high ? (low + high) / 2 : Math.min(Math.max(value, low), high);
}
