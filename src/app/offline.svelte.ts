/** The page works without a network once it was loaded; a newer version waits until it is asked for, never reloads by itself. */
import { registerSW } from 'virtual:pwa-register';

class Offline {
  /** A newer version is loaded and waits. */
  updateReady = $state(false);
  #update: ((reload?: boolean) => Promise<void>) | undefined;

  start(): void {
    this.#update = registerSW({ onNeedRefresh: () => (this.updateReady = true) });
  }

  /** Takes the new version and loads the page again. */
  reload(): void {
    void this.#update?.(true);
  }
}

export const offline = new Offline();
