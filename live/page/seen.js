// Reports which cards were looked at: at least half of the card, or half of the window, was in view
// for a second.

const VIEW_TIME = 1_000;

export class Seen {
  #call;
  #timers = new Map();
  #waiting = new Set();
  #observer;

  /** @param {(element: Element) => void} call once for each element */
  constructor(call) {
    this.#call = call;
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#judge(entry)), {
      threshold: [0, 0.25, 0.5, 0.75, 1],
    });
    document.addEventListener('visibilitychange', () => this.#observeAgain());
  }

  watch(element) {
    this.#waiting.add(element);
    this.#observer.observe(element);
  }

  forget(element) {
    this.#stop(element);
    this.#waiting.delete(element);
    this.#observer.unobserve(element);
  }

  #judge({ target, intersectionRatio, intersectionRect, rootBounds }) {
    const isInView = intersectionRatio >= 0.5 || (rootBounds !== null && intersectionRect.height >= rootBounds.height / 2);
    if (!isInView || document.hidden) this.#stop(target);
    else if (!this.#timers.has(target)) this.#timers.set(target, setTimeout(() => this.#seen(target), VIEW_TIME));
  }

  #seen(element) {
    this.forget(element);
    this.#call(element);
  }

  #stop(element) {
    clearTimeout(this.#timers.get(element));
    this.#timers.delete(element);
  }

  /** An observer that starts again reports where each card is now. */
  #observeAgain() {
    for (const element of this.#waiting) {
      this.#stop(element);
      this.#observer.unobserve(element);
      this.#observer.observe(element);
    }
  }
}
