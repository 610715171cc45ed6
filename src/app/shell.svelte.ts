/**
 * What screens tell the frame around them: the connected board, what the tab's title says, what a screen reader should hear.
 * One for the page; screens set it, the frame shows it.
 */

import { SvelteMap } from 'svelte/reactivity';

/** The chip in the header. */
export interface BoardChip {
  /** `ESP32-S3`. */
  title: string;
  /** `7c:df:a1:00:11:3f`; its tail is shown. */
  mac?: string | undefined;
  /** How it is connected: `CP2102N`, `USB`, `virtual`. */
  port?: string | undefined;
  /** `working` while something is written or read. */
  state: 'connected' | 'working' | 'lost';
}

class Shell {
  board = $state.raw<BoardChip>();
  /** By the title of a place, what stands before it in the title of the tab: `42 %`, `Failed`. */
  readonly progress = new SvelteMap<string, string>();
  /** Something runs that leaving the page would break: no reload is offered meanwhile. */
  busy = $state(false);
  /** What was said last. */
  said = $state.raw({ text: '', urgent: false });

  /** What the tab's title says: how far the place is that is looked at, else which other one is at something. */
  titleOf(place: string): string {
    const here = this.progress.get(place);
    if (here) return `${here} · ${place} · Twostep`;
    const elsewhere = [...this.progress].find(([, text]) => text !== '');
    return [place, ...(elsewhere ? [`${elsewhere[0]} ${elsewhere[1]}`] : []), 'Twostep'].join(' · ');
  }

  /** Has a screen reader say it: `urgent` at once, else when it is free. */
  announce(text: string, { urgent = false } = {}): void {
    // The same text twice would not be read: a changed space makes it another.
    this.said = { text: text === this.said.text ? `${text}\u00a0` : text, urgent };
  }
}

export const shell = new Shell();
