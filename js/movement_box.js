/** Draw the movement box over the reference picture; the text in the widget "box" stays the only truth. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { cursorFor, dragged, fitInto, formatBox, gripAt, hasArea, parseBox, sliderBox } from "./lib/box.js";
import { drawMovement } from "./lib/draw.js";
import { isLinked, pictureUrl, upstreamPicture, widgetValue } from "./lib/graph.js";
import { addButton, addPanel, after, element, say } from "./lib/panel.js";
import { resultExtension } from "./lib/results.js";
import { wordsFor } from "./lib/words.js";

const REACH_PX = 8; // on the screen
const REMEMBERED = "cyberhost_movement"; // node property: canvas and thorax of the last run, so a reload can draw

function attach(node) {
  const text = node.widgets?.find((widget) => widget.name === "box");
  if (!text) return null;
  const words = wordsFor(app.extensionManager?.setting?.get("Comfy.Locale"));
  const panel = addPanel(node, { name: "movement_box", testid: "cyberhost-movement-box", height: 260, paint });
  const caption = element("span", "flex:1;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;");
  addButton(panel.bar, {
    text: words.clear,
    title: words.clearHint,
    testid: "cyberhost-movement-box-clear",
    onClick: () => write(""),
  });
  panel.bar.append(caption);
  let source = null;
  let picture = null; // of this source, once it is here
  let drag = null; // {pointer, grip, start, from, box}

  const remembered = () => node.properties?.[REMEMBERED];
  const locked = () => isLinked(node, "box");

  function canvasSize() {
    if (remembered()?.canvas) return remembered().canvas;
    const size = upstreamPicture(node)?.size;
    if (size === "own") return picture ? [picture.naturalWidth, picture.naturalHeight] : null;
    return size ?? null;
  }

  function currentBox(canvas) {
    const drawn = locked() ? null : (drag?.box ?? parseBox(text.value));
    if (drawn) return { box: drawn, drawn: true };
    const { thorax, box } = remembered() ?? {};
    const fractions = [widgetValue(node, "width"), widgetValue(node, "height")];
    const live = thorax && !locked() && fractions.every(Number.isFinite);
    return { box: live ? sliderBox(thorax, canvas, fractions) : (box ?? null), drawn: false };
  }

  function paint(context, view) {
    const canvas = canvasSize();
    panel.root.dataset.box = text.value ?? "";
    panel.root.dataset.ready = String(Boolean(canvas));
    caption.textContent = "";
    if (!canvas) return say(context, view, words.runFirst);
    const { box, drawn } = currentBox(canvas);
    drawMovement(context, view, { canvas, picture, box, drawn, thorax: remembered()?.thorax });
    caption.textContent = locked() ? words.wired : drawn ? `${words.drawn}: ${formatBox(box)}` : words.sliders;
  }

  function write(value) {
    app.canvas?.emitBeforeChange?.();
    text.value = value;
    text.callback?.(value);
    app.canvas?.emitAfterChange?.(); // one step for undo, and saved with the workflow
    panel.repaint();
  }

  /** The pointer in pixels of the picture; the rectangle on the screen already holds the graph's zoom. */
  function place(event, canvas) {
    const seen = panel.canvas.getBoundingClientRect();
    const { scale, left, top } = fitInto(canvas, [seen.width, seen.height]);
    return { at: [(event.clientX - seen.left - left) / scale, (event.clientY - seen.top - top) / scale], scale };
  }

  function grip(event, canvas) {
    const { at, scale } = place(event, canvas);
    const { box } = currentBox(canvas);
    return { at, box, kind: gripAt(box, at, REACH_PX / scale) };
  }

  function listen(type, act) {
    panel.canvas.addEventListener(type, (event) => {
      const canvas = canvasSize();
      if (canvas && !locked()) act(event, canvas);
    });
  }

  listen("pointerdown", (event, canvas) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    panel.canvas.setPointerCapture(event.pointerId);
    const { at, box, kind } = grip(event, canvas);
    drag = { pointer: event.pointerId, grip: kind, start: box, from: at, box: null };
  });
  listen("pointermove", (event, canvas) => {
    if (!drag) {
      panel.canvas.style.cursor = cursorFor(grip(event, canvas).kind);
      return;
    }
    event.stopPropagation();
    drag.box = dragged(drag.start, drag.grip, { from: drag.from, to: place(event, canvas).at, canvas });
    panel.repaint();
  });
  listen("pointerup", () => {
    const box = drag?.box;
    drag = null;
    if (box && hasArea(box)) write(formatBox(box));
    panel.repaint();
  });
  panel.canvas.addEventListener("pointercancel", () => {
    drag = null;
    panel.repaint();
  });

  function refresh() {
    const found = upstreamPicture(node);
    const apiURL = (path) => api.apiURL(path);
    const wanted = found ? pictureUrl(found, { apiURL, here: import.meta.url }) : null;
    panel.repaint();
    if (wanted === source) return;
    source = wanted;
    picture = null;
    if (!source) return;
    const loading = new Image();
    loading.onload = () => {
      if (source === wanted) picture = loading; // an older picture may arrive after a newer one
      panel.repaint();
    };
    loading.src = source;
  }

  for (const widget of node.widgets.filter(({ name }) => ["box", "width", "height"].includes(name)))
    after(widget, "callback", panel.repaint);
  for (const event of ["onConfigure", "onConnectionsChange"])
    after(node, event, () => requestAnimationFrame(refresh)); // the graph is whole only then
  panel.root.addEventListener("pointerenter", refresh); // another picture may have been chosen upstream
  requestAnimationFrame(refresh);

  return {
    show(result) {
      node.properties[REMEMBERED] = result;
      refresh();
    },
  };
}

app.registerExtension(
  resultExtension({
    name: "CyberHost.MovementBox",
    nodeIds: ["CyberHostMovementMap"],
    key: "cyberhost_movement",
    attach,
    rootGraph: () => app.rootGraph ?? app.graph,
  }),
);
