/** Questions to the graph around a node: which picture feeds it, which voice is there. Nothing of the page. */

/** The value of a widget of a node, or undefined. */
export function widgetValue(node, name) {
  return node?.widgets?.find((widget) => widget.name === name)?.value;
}

/** Is this input of the node fed by a wire? */
export function isLinked(node, name) {
  return node?.inputs?.find((input) => input.name === name)?.link != null;
}

/**
 * Look up the wires for the nearest Load Image, or bundled portrait that a run has shown.
 *
 * `shownBy(node)` gives the first picture that a node shows after a run, {filename, subfolder, type}, or null.
 * Gives {file, size}: size is [width, height] where an Upscale Image with typed-in numbers lies between, "own" where
 * nothing scales the picture, null where a wire decides the size; or null when no picture is found.
 */
export function upstreamPicture(node, shownBy = () => null) {
  const queue = [{ node, size: "own" }];
  const known = new Set([node]);
  while (queue.length) {
    const here = queue.shift();
    const file = pictureFile(here.node, shownBy);
    if (file) return { file, size: here.size };
    const size = here.size === "own" && here.node.type === "ImageScale" ? scaledSize(here.node) : here.size;
    for (const before of inputNodes(here.node)) {
      if (known.has(before)) continue;
      known.add(before);
      queue.push({ node: before, size });
    }
  }
  return null;
}

/** The first picture that a node of the root graph shows since its last run; only there ids are unique. */
export function shownPicture(app, node) {
  const root = app.rootGraph ?? app.graph;
  return node.graph === root ? (app.nodeOutputs?.[String(node.id)]?.images?.[0] ?? null) : null;
}

/** The file of the first active Load Audio among nodes, or null. */
export function voiceFile(nodes) {
  const voices = nodes.filter((node) => node.type === "LoadAudio" && !node.mode);
  return voices.map((node) => widgetValue(node, "audio")).find((file) => typeof file === "string" && file) ?? null;
}

/** "clips/voice.wav [output]", as the host writes files in widgets, as a path to fetch. */
export function viewPath(file) {
  const [, path, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/s.exec(file);
  const cut = path.lastIndexOf("/");
  const subfolder = path.slice(0, Math.max(cut, 0));
  const asked = new URLSearchParams({ filename: path.slice(cut + 1), subfolder, type });
  return `/view?${asked}`;
}

function pictureFile(node, shownBy) {
  if (node.type === "LoadImage") return widgetValue(node, "image");
  const shown = node.type === "CyberHostExample" ? shownBy(node) : null;
  return shown ? `${shown.subfolder ? `${shown.subfolder}/` : ""}${shown.filename} [${shown.type}]` : null;
}

function inputNodes(node) {
  return (node.inputs ?? []).map((_, slot) => node.getInputNode?.(slot)).filter(Boolean);
}

function scaledSize(node) {
  if (isLinked(node, "width") || isLinked(node, "height")) return null;
  const size = [widgetValue(node, "width"), widgetValue(node, "height")];
  return size.every((side) => side > 0) ? size : null;
}
