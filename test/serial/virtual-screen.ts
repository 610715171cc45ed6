/** An X display that nobody sees, and its keyboard: for what of a browser is no part of a page. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { findScreenTools, RigHindrance, type ScreenTools } from './requirements.ts';

export class VirtualScreen {
  /** `:7`. */
  readonly display: string;
  readonly #server: ChildProcess;
  readonly #hand: string;

  private constructor(display: string, server: ChildProcess, hand: string) {
    this.display = display;
    this.#server = server;
    this.#hand = hand;
  }

  static async start({ server, hand }: ScreenTools): Promise<VirtualScreen> {
    // It chooses a number that is free, and ends with the tests, whatever ends those.
    const args = ['-displayfd', '1', '-screen', '0', '1280x1000x24', '-nolisten', 'tcp'];
    const process = spawn('setpriv', ['--pdeathsig', 'TERM', server, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    const number = once(process.stdout, 'data').then(([bytes]) => String(bytes).trim());
    const ended = once(process, 'exit').then(([code]) => Promise.reject(new Error(`Xvfb ended with ${String(code)}`)));
    const display = `:${await Promise.race([number, ended])}`;
    ended.catch(() => undefined); // by `end`
    return new VirtualScreen(display, process, hand);
  }

  /** Presses keys one after the other, by their names in X: `Tab`, `Return`. */
  press(...keys: string[]): void {
    const env = { ...process.env, DISPLAY: this.display };
    const { status, stderr } = spawnSync(this.#hand, ['key', ...keys], { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`xdotool ended with ${status}: ${stderr}`);
  }

  async end(): Promise<void> {
    const ended = once(this.#server, 'exit');
    this.#server.kill();
    await ended;
  }
}

/** The screen, or why there is none here. */
export async function startScreenIfPossible(): Promise<{ screen?: VirtualScreen; hindrance?: string }> {
  try {
    return { screen: await VirtualScreen.start(findScreenTools()) };
  } catch (error) {
    if (error instanceof RigHindrance) return { hindrance: error.message };
    throw error;
  }
}
