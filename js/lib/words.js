/** The few words on our panels, in the languages that the pack speaks. */

const WORDS = {
  en: {
    clear: "Clear box",
    clearHint: "Forget the drawn box; the sliders decide again",
    drawn: "Drawn box, in px",
    sliders: "Box of the sliders; drag to draw your own",
    wired: "The box comes from a wire",
    runFirst: "Run once: the checkpoint decides the picture's size",
    afterRun: "Shown after a run",
    left: "left hand",
    right: "right hand",
    frames: "frames",
    greyLevels: "grey levels",
    play: "Play",
    pause: "Pause",
    seek: "Time",
    withVoice: "with the sound of Load Audio",
    withoutVoice: "no Load Audio in the graph: silent",
  },
  zh: {
    clear: "清除方框",
    clearHint: "删除手绘方框，重新由滑块决定",
    drawn: "手绘方框（像素）",
    sliders: "滑块给出的方框；拖动即可自行绘制",
    wired: "方框来自连线",
    runFirst: "请先运行一次：画面尺寸由检查点决定",
    afterRun: "运行后显示",
    left: "左手",
    right: "右手",
    frames: "帧",
    greyLevels: "灰度级",
    play: "播放",
    pause: "暂停",
    seek: "时间",
    withVoice: "与“加载音频”的声音同步",
    withoutVoice: "图中没有“加载音频”节点：无声",
  },
};

/** Words for the host's locale ("en", "zh", "zh-TW", ...); English where we have none. */
export function wordsFor(locale) {
  return WORDS[String(locale ?? "en").split("-")[0]] ?? WORDS.en;
}

/** Every language, for the test that all say the same things. */
export const LANGUAGES = WORDS;
