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
 * Look up the wires for the nearest Load Image or bundled portrait.
 *
 * Gives {file, size} or {portrait, size}, see pictureUrl: size is [width, height] where an Upscale Image with typed-in numbers lies between, "own" where
 * nothing scales the picture, null where a wire decides the size; or null when no picture is found.
 */
export function upstreamPicture(node) {
  const queue = [{ node, size: "own" }];
  const known = new Set([node]);
  while (queue.length) {
    const here = queue.shift();
    const found = pictureOf(here.node);
    if (found) return { ...found, size: here.size };
    const size = here.size === "own" && here.node.type === "ImageScale" ? scaledSize(here.node) : here.size;
    for (const before of inputNodes(here.node)) {
      if (known.has(before)) continue;
      known.add(before);
      queue.push({ node: before, size });
    }
  }
  return null;
}

/** Where to fetch a picture that upstreamPicture found; the pack serves its portraits beside its scripts. */
export function pictureUrl({ file, portrait }, { apiURL, here }) {
  if (file) return apiURL(viewPath(file));
  return new URL(`../cyberhost-portraits/${encodeURIComponent(portrait)}`, here).href;
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

function pictureOf(node) {
  const file = node.type === "LoadImage" ? widgetValue(node, "image") : null;
  if (file) return { file };
  const portrait = node.type === "CyberHostExample" ? widgetValue(node, "portrait") : null;
  return portrait ? { portrait } : null;
}

function inputNodes(node) {
  return (node.inputs ?? []).map((_, slot) => node.getInputNode?.(slot)).filter(Boolean);
}

function scaledSize(node) {
  if (isLinked(node, "width") || isLinked(node, "height")) return null;
  const size = [widgetValue(node, "width"), widgetValue(node, "height")];
  return size.every((side) => side > 0) ? size : null;
}
