/** Show how clear each hand is over the frames, after Hand Clarity Score has run. */

import { app } from "../../scripts/app.js";
import { axisTop, summary } from "./lib/curves.js";
import { LEFT_COLOUR, RIGHT_COLOUR, drawCurve } from "./lib/draw.js";
import { addPanel, element, say } from "./lib/panel.js";
import { resultExtension } from "./lib/results.js";
import { wordsFor } from "./lib/words.js";

const AXIS = { left: 34, right: 8, top: 10, bottom: 16 }; // px around the curves

function attach(node) {
  const words = wordsFor(app.extensionManager?.setting?.get("Comfy.Locale"));
  const panel = addPanel(node, { name: "clarity_curves", testid: "cyberhost-clarity-curves", height: 150, paint });
  const captions = [LEFT_COLOUR, RIGHT_COLOUR].map((colour) => element("span", `flex:1;color:${colour};`));
  panel.bar.append(...captions);
  let scores = null;

  function paint(context, view) {
    panel.root.dataset.ready = String(Boolean(scores));
    if (!scores) return say(context, view, words.afterRun);
    const curves = [scores.left, scores.right];
    const top = axisTop(curves);
    const area = {
      left: AXIS.left,
      top: AXIS.top,
      width: Math.max(view[0] - AXIS.left - AXIS.right, 1),
      height: Math.max(view[1] - AXIS.top - AXIS.bottom, 1),
    };
    drawAxes(context, area, { top, frames: `${scores.left.length} ${words.frames}`, unit: words.greyLevels });
    curves.forEach((values, hand) => {
      drawCurve(context, values, { area, top, colour: hand ? RIGHT_COLOUR : LEFT_COLOUR });
      captions[hand].textContent = caption(hand ? words.right : words.left, values);
    });
  }

  return {
    show(result) {
      scores = Array.isArray(result.left) && Array.isArray(result.right) ? result : null;
      panel.repaint();
    },
  };
}

function drawAxes(context, area, { top, frames, unit }) {
  context.strokeStyle = "#888";
  context.strokeRect(area.left, area.top, area.width, area.height);
  context.fillStyle = "#aaa";
  context.font = "10px sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(String(top), area.left - 4, area.top);
  context.fillText("0", area.left - 4, area.top + area.height);
  context.textBaseline = "top";
  context.fillText(frames, area.left + area.width, area.top + area.height + 3);
  context.textAlign = "left";
  context.fillText(unit, area.left, area.top + area.height + 3);
}

function caption(name, values) {
  const found = summary(values);
  if (!found) return `${name} –`;
  const [low, mean, high] = [found.low, found.mean, found.high].map((value) => value.toFixed(1));
  return `${name} ${low} – ${high}, ⌀ ${mean}`;
}

app.registerExtension(
  resultExtension({
    name: "CyberHost.ClarityCurves",
    nodeIds: ["CyberHostHandClarity"],
    key: "cyberhost_clarity",
    attach,
    rootGraph: () => app.rootGraph ?? app.graph,
  }),
);
