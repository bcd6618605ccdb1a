// A tab that can be hidden, as those of people can: tabs of Playwright always count as shown.

import { eventually } from './wait.mjs';

export class Tab {
  /** The first tabs of profiles that are open. */
  static #open = new Set();
  #browser;
  #profile;
  #session;
  #window;
  #calls = 0;
  #answers = new Map();

  /** Opens an address in a profile of its own, with permissions as the browser names them. */
  static async open(browser, url, permissions) {
    const session = await browser.newBrowserCDPSession();
    const { browserContextId } = await session.send('Target.createBrowserContext');
    await session.send('Browser.grantPermissions', { permissions, browserContextId });
    const tab = new Tab(session, browserContextId);
    Tab.#open.add(tab);
    await tab.#create(url);
    return tab;
  }

  /** Closes the profiles that a test which failed left open. */
  static async closeAll() {
    await Promise.all([...Tab.#open].map((tab) => tab.close()));
  }

  constructor(browser, profile) {
    this.#browser = browser;
    this.#profile = profile;
  }

  /** Opens a tab beside this one, which is hidden by it. */
  async beside(url) {
    const tab = new Tab(this.#browser, this.#profile);
    await tab.#create(url);
    return tab;
  }

  async #create(url) {
    const { targetId } = await this.#browser.send('Target.createTarget', { url, browserContextId: this.#profile });
    ({ sessionId: this.#session } = await this.#browser.send('Target.attachToTarget', { targetId, flatten: false }));
    ({ windowId: this.#window } = await this.#browser.send('Browser.getWindowForTarget', { targetId }));
    this.#browser.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      if (sessionId === this.#session) this.#answer(JSON.parse(message));
    });
  }

  /** A script that runs in every document of the tab before the document's own. */
  async beforeEach(source) {
    await this.#send('Page.enable', {});
    await this.#send('Page.addScriptToEvaluateOnNewDocument', { source });
  }

  /** The value of an expression in the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Minimizes the window, or restores it. */
  async hide(isHidden) {
    const bounds = { windowState: isHidden ? 'minimized' : 'normal' };
    await this.#browser.send('Browser.setWindowBounds', { windowId: this.#window, bounds });
    await eventually(isHidden ? 'hidden' : 'shown', async () => (await this.evaluate('document.hidden')) === isHidden);
  }

  /** Freezes the tab, as the browser does with tabs that were hidden for long: nothing in it runs. */
  async freeze() {
    await this.#send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw() {
    await this.#send('Page.setWebLifecycleState', { state: 'active' });
  }

  /** Closes the profile with all its tabs. */
  async close() {
    Tab.#open.delete(this);
    await this.#browser.send('Target.disposeBrowserContext', { browserContextId: this.#profile });
    await this.#browser.detach();
  }

  #send(method, params) {
    this.#calls += 1;
    const id = this.#calls;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
      this.#browser.send('Target.sendMessageToTarget', { sessionId: this.#session, message: JSON.stringify({ id, method, params }) }).catch(reject);
    });
  }

  #answer(message) {
    this.#answers.get(message.id)?.(message);
    this.#answers.delete(message.id);
  }
}
