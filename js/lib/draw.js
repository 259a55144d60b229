/** Paint scenes on a 2D context; what to paint is decided elsewhere. */

import { centreCrop, fitInto } from "./box.js";
import { curveRuns } from "./curves.js";
import { handLines } from "./player.js";

export const LEFT_COLOUR = "#60a5fa";
export const RIGHT_COLOUR = "#fb923c";

/** The picture (or grey), the movement box on it, solid when drawn by hand, and the thorax. */
export function drawMovement(context, view, { canvas, picture, box, drawn, thorax }) {
  const px = 1 / enter(context, view, canvas);
  if (picture) {
    const kept = centreCrop([picture.naturalWidth, picture.naturalHeight], canvas);
    context.drawImage(picture, ...kept, 0, 0, ...canvas);
  }
  if (box) {
    context.lineWidth = 2 * px;
    context.setLineDash(drawn ? [] : [5 * px, 4 * px]);
    context.strokeStyle = drawn ? "#4ade80" : "#fbbf24";
    context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  }
  if (!thorax) return;
  context.fillStyle = "#f87171";
  context.beginPath();
  context.arc(thorax[0], thorax[1], 4 * px, 0, 2 * Math.PI);
  context.fill();
}

/** Both hands of one frame of a track as lines. */
export function drawHands(context, view, { canvas, frame }) {
  const px = 1 / enter(context, view, canvas);
  context.lineWidth = 1.5 * px;
  context.lineCap = "round";
  handLines(frame).forEach((lines, hand) => {
    context.strokeStyle = hand ? RIGHT_COLOUR : LEFT_COLOUR;
    context.beginPath();
    for (const [x0, y0, x1, y1] of lines) {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    }
    context.stroke();
  });
}

/** One curve in an area; a run of a single frame becomes a dot. */
export function drawCurve(context, values, { area, top, colour }) {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.5;
  for (const run of curveRuns(values, area, top)) {
    context.beginPath();
    if (run.length === 1) {
      context.arc(...run[0], 2.5, 0, 2 * Math.PI);
      context.fill();
    } else {
      run.forEach(([x, y]) => context.lineTo(x, y));
      context.stroke();
    }
  }
}

/** Go over to pixels of the picture, paint its ground; gives the scale. */
function enter(context, view, canvas) {
  const { scale, left, top } = fitInto(canvas, view);
  context.translate(left, top);
  context.scale(scale, scale);
  context.fillStyle = "#555";
  context.fillRect(0, 0, ...canvas);
  return scale;
}
