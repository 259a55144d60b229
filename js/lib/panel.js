/**
 * A panel on a node: a picture to draw on and a bar below. DOM only, so it works in both renderers.
 *
 * Frontend 1.27 (ComfyUI 0.3.64) shows no DOM widget of anyone in its new renderer, a hidden setting then: there the
 * plain widgets above do alone what the panel does.
 */

const MARGIN_PX = 10; // the classic renderer leaves this much free on every side of a DOM widget

/**
 * Add a panel below the widgets of a node.
 *
 * Gives {root, canvas, bar, repaint, signal}; `paint(context, [width, height])` is called in CSS pixels, at most once
 * per screen frame; `signal` aborts when the node goes. Nothing of the panel is written into workflows or prompts.
 */
export function addPanel(node, { name, testid, height, paint }) {
  const root = element("div", "display:flex;flex-direction:column;gap:4px;overflow:hidden;font-size:11px;");
  root.style.minHeight = `${height}px`;
  root.dataset.testid = testid;
  const stage = element("div", "position:relative;flex:1;min-height:0;border-radius:4px;overflow:hidden;");
  const canvas = element("canvas", "position:absolute;inset:0;width:100%;height:100%;touch-action:none;");
  const bar = element("div", "display:flex;gap:6px;align-items:center;min-height:22px;color:var(--input-text,#ddd);");
  stage.append(canvas);
  root.append(stage, bar);
  root.addEventListener("keydown", keepFromShortcuts);

  const gone = new AbortController();
  const repaint = oncePerFrame(() => gone.signal.aborted || paintOn(canvas, stage, paint));
  const sizes = new ResizeObserver(repaint);
  sizes.observe(stage);
  gone.signal.addEventListener("abort", () => sizes.disconnect());

  const widget = node.addDOMWidget(name, `cyberhost_${name}`, root, {
    serialize: false, // not in prompts
    hideOnZoom: false,
    getMinHeight: () => height + 2 * MARGIN_PX,
    getValue: () => "",
    setValue: () => {},
  });
  widget.serialize = false; // not in workflows
  after(node, "onRemoved", () => gone.abort());
  const needed = node.computeSize();
  node.setSize([Math.max(node.size[0], needed[0], 260), Math.max(node.size[1], needed[1])]);
  return { root, canvas, bar, repaint, signal: gone.signal };
}

/** Add a small button to a bar. */
export function addButton(bar, { text, title, testid, onClick }) {
  const button = element(
    "button",
    "padding:2px 8px;border:1px solid var(--border-color,#555);border-radius:4px;cursor:pointer;" +
      "background:var(--comfy-input-bg,#222);color:var(--input-text,#ddd);",
  );
  Object.assign(button, { type: "button", textContent: text, title });
  button.dataset.testid = testid;
  button.addEventListener("click", onClick);
  bar.append(button);
  return button;
}

/** Make an element with inline style. */
export function element(tag, style) {
  const made = document.createElement(tag);
  made.style.cssText = style;
  return made;
}

/** Let something happen after a node's own callback, whoever has set it. */
export function after(owner, method, then) {
  const before = owner[method];
  owner[method] = function (...given) {
    const result = before?.apply(this, given);
    then(...given);
    return result;
  };
}

/** Write one line of words in the middle of the picture. */
export function say(context, [width, height], text) {
  context.fillStyle = "#aaa";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "11px sans-serif";
  context.fillText(text, width / 2, height / 2, width - 12);
}

function paintOn(canvas, stage, paint) {
  const size = [stage.clientWidth, stage.clientHeight];
  if (!size[0] || !size[1]) return;
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(size[0] * density);
  canvas.height = Math.round(size[1] * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.fillStyle = "#333";
  context.fillRect(0, 0, ...size);
  paint(context, size);
}

function oncePerFrame(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      act();
    });
  };
}

/** A focused button or slider keeps its own keys; all others stay the host's. */
function keepFromShortcuts(event) {
  const own = [" ", "Enter", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key);
  if (own && !event.ctrlKey && !event.metaKey) event.stopPropagation();
}
