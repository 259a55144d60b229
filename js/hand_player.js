/** Play a hand track as moving lines, with the voice of the graph's Load Audio. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { drawHands } from "./lib/draw.js";
import { viewPath, voiceFile } from "./lib/graph.js";
import { addButton, addPanel, element, say } from "./lib/panel.js";
import { advance, clockText, duration, frameAt, readTrack } from "./lib/player.js";
import { resultExtension } from "./lib/results.js";
import { wordsFor } from "./lib/words.js";

function attach(node) {
  const words = wordsFor(app.extensionManager?.setting?.get("Comfy.Locale"));
  const panel = addPanel(node, { name: "hand_player", testid: "cyberhost-hand-player", height: 220, paint });
  const button = addButton(panel.bar, {
    text: words.play,
    title: "",
    testid: "cyberhost-hand-player-play",
    onClick: () => (playing ? pause() : play()),
  });
  const slider = element("input", "flex:1;min-width:40px;");
  Object.assign(slider, { type: "range", min: "0", step: "any", value: "0", title: words.seek });
  const clock = element("span", "font-variant-numeric:tabular-nums;");
  panel.bar.append(slider, clock);
  button.disabled = slider.disabled = true;
  let track = null;
  let seconds = 0;
  let playing = false;
  let voice = null; // an audio element while there is a file to play

  function paint(context, view) {
    panel.root.dataset.ready = String(Boolean(track));
    panel.root.dataset.playing = String(playing);
    if (!track) return say(context, view, words.afterRun);
    const frame = frameAt(seconds, track);
    panel.root.dataset.frame = String(frame);
    drawHands(context, view, { canvas: track.canvas, frame: track.frames[frame] });
    slider.value = String(seconds);
    clock.textContent = `${clockText(seconds)} / ${clockText(duration(track))}`;
  }

  function play() {
    playing = true;
    button.textContent = words.pause;
    startVoice();
    let before = performance.now();
    const tick = (now) => {
      if (!playing || panel.signal.aborted) return;
      const heard = voice && !voice.paused && !voice.ended && voice.readyState >= 2 ? voice.currentTime : null;
      const step = advance(seconds, (now - before) / 1000, { length: duration(track), voice: heard });
      before = now;
      seconds = step.seconds;
      if (step.again) startVoice();
      panel.repaint();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  function pause() {
    playing = false;
    button.textContent = words.play;
    voice?.pause();
    panel.repaint();
  }

  /** Play the voice from where the hands are; hands go on without it when there is none or it has ended. */
  function startVoice() {
    const file = voiceFile([...(node.graph?.nodes ?? []), ...((app.rootGraph ?? app.graph)?.nodes ?? [])]);
    button.title = file ? words.withVoice : words.withoutVoice;
    const source = file ? api.apiURL(viewPath(file)) : null;
    if (voice?.dataset.source !== source) {
      voice?.pause();
      voice = source ? new Audio(source) : null;
      if (voice) voice.dataset.source = source;
    }
    if (!voice) return;
    if (seconds >= voice.duration) return; // playing an ended sound would start it anew
    voice.currentTime = seconds;
    voice.play().catch((error) => {
      button.title = `${words.withoutVoice} (${error.name})`; // refused by the browser, or no such file
    });
  }

  slider.addEventListener("input", () => {
    seconds = Math.min(Number(slider.value), duration(track));
    if (voice) voice.currentTime = seconds;
    panel.repaint();
  });
  panel.signal.addEventListener("abort", pause);

  return {
    show(result) {
      pause();
      track = readTrack(result);
      seconds = 0;
      button.disabled = slider.disabled = !track;
      slider.max = String(track ? duration(track) : 1);
      panel.repaint();
    },
  };
}

app.registerExtension(
  resultExtension({
    name: "CyberHost.HandPlayer",
    nodeIds: [
      "CyberHostHandTrackFromVideo",
      "CyberHostHandTrackFromFile",
      "CyberHostSaveHandTrack",
      "CyberHostAlignHands",
      "CyberHostHandMotion",
      "CyberHostHandTrackFromKeyframes",
      "CyberHostHandTrackEdit",
      "CyberHostHandTrackJoin",
      "CyberHostPreviewHandTrack",
    ],
    key: "cyberhost_hand_track",
    attach,
    rootGraph: () => app.rootGraph ?? app.graph,
  }),
);
