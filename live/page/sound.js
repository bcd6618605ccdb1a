// A short tone for a new signal. It is made here, so that nothing need be loaded.

/** Hertz, and seconds from the beginning. */
const TONES = [[660, 0], [880, 0.12]];
const LENGTH = 0.11;
const LOUDNESS = 0.15;

export class Sound {
  #isOn;
  #context = null;

  /** @param {() => boolean} isOn */
  constructor(isOn) {
    this.#isOn = isOn;
    // Browsers let a page sound only after somebody used it.
    const wake = () => this.#isOn() && this.#ready()?.resume();
    for (const event of ['pointerdown', 'keydown']) document.addEventListener(event, wake);
  }

  play() {
    const context = this.#isOn() ? this.#ready() : null;
    if (context === null || context.state !== 'running') return;
    for (const [frequency, after] of TONES) {
      const [tone, loudness, start] = [context.createOscillator(), context.createGain(), context.currentTime + after];
      tone.frequency.value = frequency;
      loudness.gain.setValueAtTime(LOUDNESS, start);
      loudness.gain.linearRampToValueAtTime(0, start + LENGTH);
      tone.connect(loudness).connect(context.destination);
      tone.start(start);
      tone.stop(start + LENGTH);
    }
  }

  #ready() {
    if (!('AudioContext' in globalThis)) return null;
    this.#context ??= new AudioContext();
    return this.#context;
  }
}
