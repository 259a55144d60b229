/** Bring a node's results to its view: after a run, and when the host hands old results back. */

import { after } from "./panel.js";

/**
 * Describe an extension for some node ids. `attach(node)` builds a view with `show(result)`; the result is the first
 * entry under `key` of the node's ui output. `rootGraph()` gives the page's graph.
 */
export function resultExtension({ name, nodeIds, key, attach, rootGraph }) {
  const views = new WeakMap();
  const show = (node, output) => {
    const result = output?.[key]?.[0];
    if (result) views.get(node)?.show(result);
  };
  return {
    name,
    nodeCreated(node) {
      if (!nodeIds.includes(node.comfyClass)) return;
      const view = attach(node);
      if (!view) return;
      views.set(node, view);
      after(node, "onExecuted", (output) => show(node, output));
    },
    onNodeOutputsUpdated(outputs) {
      for (const [locator, output] of Object.entries(outputs ?? {})) {
        const node = nodeAt(rootGraph(), locator);
        if (node) show(node, output);
      }
    },
  };
}

/** Find a node by the host's locator: "7", or "<subgraph>:7" inside a subgraph. */
export function nodeAt(graph, locator) {
  const cut = locator.lastIndexOf(":");
  const owner = cut < 0 ? graph : graph?.subgraphs?.get(locator.slice(0, cut));
  return owner?.getNodeById?.(locator.slice(cut + 1)) ?? null;
}
