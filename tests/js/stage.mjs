/** A stand-in for the host's page: just enough of a DOM, a graph and a screen clock to work our panels by hand. */

import { register } from "node:module";

const HOST = `data:text/javascript,export const app = globalThis.host.app; export const api = globalThis.host.api;`;
const HOOK = `export async function resolve(asked, context, next) {
  return /scripts\\/(app|api)\\.js$/.test(asked) ? { url: ${JSON.stringify(HOST)}, shortCircuit: true } : next(asked, context);
}`;

class FakeElement {
  style = {};
  dataset = {};
  children = [];
  clientWidth = 192;
  clientHeight = 256;
  painted = [];
  #listeners = {};

  constructor(tag) {
    this.tag = tag;
  }
  append(...children) {
    this.children.push(...children);
  }
  addEventListener(type, act) {
    (this.#listeners[type] ??= []).push(act);
  }
  /** Do what the browser does when the user acts; `given` are fields of the event. */
  dispatch(type, given = {}) {
    const event = { type, button: 0, pointerId: 1, stopPropagation() {}, ...given };
    (this.#listeners[type] ?? []).forEach((act) => act(event));
  }
  setPointerCapture() {}
  getBoundingClientRect() {
    return { left: 100, top: 50, width: this.clientWidth, height: this.clientHeight };
  }
  getContext() {
    const { painted } = this;
    const note = (name) => (...given) => painted.push([name, ...given]);
    return new Proxy({}, { get: (_, name) => note(name), set: () => true });
  }
  /** The element of this test id among this one and all below it. */
  find(testid) {
    if (this.dataset.testid === testid) return this;
    return this.children.map((child) => child.find(testid)).find(Boolean);
  }
  findTag(tag) {
    return this.tag === tag ? this : this.children.map((child) => child.findTag(tag)).find(Boolean);
  }
}

class FakeAudio {
  dataset = {};
  paused = true;
  ended = false;
  readyState = 4;
  currentTime = 0;
  duration = 60;
  constructor(source) {
    this.source = source;
    FakeAudio.made.push(this);
  }
  async play() {
    this.paused = false;
  }
  pause() {
    this.paused = true;
  }
  static made = [];
}

const frames = [];

/** Let the screen draw until nothing asks for another frame, or `count` times; each takes `seconds`. */
export function screen({ count = 3, seconds = 0.04 } = {}) {
  for (let drawn = 0; drawn < count && frames.length; drawn += 1) {
    host.now += 1000 * seconds;
    frames.splice(0).forEach((act) => act(host.now));
  }
}

/** A node of the host with widgets by name; inputs by name, true where wired. */
export function fakeNode(comfyClass, { widgets = {}, inputs = {} } = {}) {
  return {
    id: 1,
    comfyClass,
    type: comfyClass,
    size: [200, 100],
    properties: {},
    widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })),
    inputs: Object.entries(inputs).map(([name, wired]) => ({ name, link: wired ? 1 : null })),
    computeSize: () => [200, 300],
    setSize(size) {
      this.size = size;
    },
    addDOMWidget(name, type, root, options) {
      const widget = { name, type, element: root, options };
      this.widgets.push(widget);
      return widget;
    },
    /** The panel that our extension has added. */
    get panel() {
      return this.widgets.find((widget) => widget.element)?.element;
    },
  };
}

/** Load a page module as the host does, and give the extension that it registers. */
export async function loadExtension(file) {
  await import(new URL(`../../js/${file}`, import.meta.url));
  return host.extensions.at(-1);
}

const host = { now: 0, extensions: [], images: [], audio: FakeAudio.made };
host.app = {
  registerExtension: (extension) => host.extensions.push(extension),
  rootGraph: { nodes: [] },
  nodeOutputs: {},
};
host.api = { apiURL: (path) => `/api${path}` };
globalThis.host = host;
globalThis.window = { devicePixelRatio: 2 };
globalThis.document = { createElement: (tag) => new FakeElement(tag) };
globalThis.Audio = FakeAudio;
globalThis.Image = class {
  naturalWidth = 200;
  naturalHeight = 100;
  constructor() {
    host.images.push(this);
  }
};
globalThis.ResizeObserver = class {
  constructor(act) {
    this.observe = act; // a browser reports the first size at once
  }
  disconnect() {}
};
globalThis.requestAnimationFrame = (act) => frames.push(act);
globalThis.performance.now = () => host.now;
register(`data:text/javascript,${encodeURIComponent(HOOK)}`);

export { host };
