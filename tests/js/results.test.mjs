import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { nodeAt, resultExtension } from "../../js/lib/results.js";
import { LANGUAGES, wordsFor } from "../../js/lib/words.js";

const JS = new URL("../../js/", import.meta.url);

/** An extension whose views note what they are shown. */
function recorded(root) {
  const shown = [];
  const attach = (node) => ({ show: (result) => shown.push([node.id, result]) });
  const rootGraph = () => root;
  return { shown, extension: resultExtension({ name: "T", nodeIds: ["Ours"], key: "ours", attach, rootGraph }) };
}

const graphOf = (...nodes) => ({ getNodeById: (id) => nodes.find((node) => String(node.id) === String(id)) });

test("results reach the view, and another extension's callback still runs", () => {
  const { shown, extension } = recorded(null);
  let others = 0;
  const node = { id: 1, comfyClass: "Ours", onExecuted: () => (others += 1) };
  extension.nodeCreated(node);
  node.onExecuted({ ours: ["first", "second"] });
  assert.deepEqual(shown, [[1, "first"]]);
  assert.equal(others, 1);
});

test("other nodes are left as they are", () => {
  const { extension } = recorded(null);
  const node = { id: 1, comfyClass: "Theirs" };
  extension.nodeCreated(node);
  assert.equal(node.onExecuted, undefined);
});

test("results that are not ours, or none at all, show nothing", () => {
  const { shown, extension } = recorded(null);
  const node = { id: 1, comfyClass: "Ours" };
  extension.nodeCreated(node);
  for (const output of [undefined, {}, { images: [1] }, { ours: [] }]) node.onExecuted(output);
  assert.deepEqual(shown, []);
});

test("old results that the host hands back are shown, inside subgraphs too", () => {
  const inner = { id: 7, comfyClass: "Ours" };
  const outer = { id: 1, comfyClass: "Ours" };
  const root = { ...graphOf(outer), subgraphs: new Map([["some-uuid", graphOf(inner)]]) };
  const { shown, extension } = recorded(root);
  [inner, outer].forEach(extension.nodeCreated);
  extension.onNodeOutputsUpdated({ 1: { ours: ["a"] }, "some-uuid:7": { ours: ["b"] }, "gone:9": { ours: ["c"] } });
  assert.deepEqual(shown, [[1, "a"], [7, "b"]]);
});

test("a locator of no node is no error", () => assert.equal(nodeAt(undefined, "some-uuid:7"), null));

test("every language says the same things", () => {
  const keys = Object.keys(LANGUAGES.en).sort();
  for (const [language, words] of Object.entries(LANGUAGES)) {
    assert.deepEqual(Object.keys(words).sort(), keys, language);
    assert.ok(Object.values(words).every((word) => word.trim()), language);
  }
});

test("an unknown locale gets English", () => {
  assert.equal(wordsFor("zh-TW"), LANGUAGES.zh);
  assert.equal(wordsFor("xx"), LANGUAGES.en);
  assert.equal(wordsFor(undefined), LANGUAGES.en);
});

test("helpers import nothing of the page, pages only the host's two public modules and helpers", () => {
  const imports = (file) => [...readFileSync(new URL(file, JS), "utf8").matchAll(/ from "([^"]+)"/g)].map(([, from]) => from);
  const scripts = (folder) => readdirSync(new URL(folder, JS)).filter((name) => name.endsWith(".js"));
  for (const name of scripts("lib/"))
    for (const from of imports(`lib/${name}`)) assert.match(from, /^\.\/\w+\.js$/, `${name} imports ${from}`);
  for (const name of scripts("./"))
    for (const from of imports(name)) assert.match(from, /^(\.\/lib\/\w+\.js|\.\.\/\.\.\/scripts\/(app|api)\.js)$/, `${name}`);
});

test("helpers do nothing when they are loaded: the host loads every file", async () => {
  const before = Object.keys(globalThis);
  for (const name of readdirSync(new URL("lib/", JS))) await import(new URL(`lib/${name}`, JS));
  assert.deepEqual(Object.keys(globalThis), before);
});
