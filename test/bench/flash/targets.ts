/** What Twostep wants to reach, held against what was measured. */
import { type FlashResult } from './run-case.ts';

export interface Target {
  text: string;
  /** As it was measured, with its unit; undefined: its case did not run. */
  value: string | undefined;
  isMet: boolean | undefined;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
/** Bytes in all rounds below which the JavaScript engine's compiler has a part in the figure. */
const WARM_BYTES = 3 * 0x10_0000;

interface Figure {
  value: number;
  /** Where it was found, if that is not plain. */
  where?: string;
}

interface Wish {
  text: string;
  measure: (results: Results) => Figure | undefined;
  print: (value: number) => string;
  isMet: (value: number) => boolean;
}

const atLeast = (limit: number) => (value: number) => value >= limit;
const atMost = (limit: number) => (value: number) => value <= limit;

class Results {
  readonly all: readonly FlashResult[];

  constructor(all: readonly FlashResult[]) {
    this.all = all;
  }

  get ours(): readonly FlashResult[] {
    return this.all.filter(({ client }) => client === 'twostep');
  }

  our(name: string): FlashResult | undefined {
    return this.ours.find((result) => result.case === name);
  }

  /** The worst of ours by some measure. */
  worst(results: readonly FlashResult[], of: (result: FlashResult) => number): Figure | undefined {
    const worst = results.toSorted((a, b) => of(b) - of(a))[0];
    return worst && { value: of(worst), where: worst.case };
  }

  /** Milliseconds of one run for each of another. */
  ratio(name: string, other: string, of: (one: FlashResult, second: FlashResult) => number): Figure | undefined {
    const [one, second] = [this.our(name), this.our(other)];
    return one && second && { value: of(one, second) };
  }

  elapsed(name: string): Figure | undefined {
    const result = this.our(name);
    return result && { value: result.elapsedMs };
  }

  /** Of all peers in all cases, the one that we look worst against: its time for ours. */
  againstPeers(): Figure | undefined {
    const pairs = this.all.flatMap((peer) => {
      const ours = peer.client === 'twostep' ? undefined : this.our(peer.case);
      return ours ? [{ value: peer.elapsedMs / ours.elapsedMs, where: `${peer.case}, ${peer.client}` }] : [];
    });
    return pairs.toSorted((a, b) => a.value - b.value)[0];
  }
}

const WISHES: readonly Wish[] = [
  {
    text: '1 MiB incompressible at 921600 and 1 ms: at least 97 % of the bound',
    measure: (results) => {
      const result = results.our('noise-921600');
      return result && { value: result.bound.totalMs / result.elapsedMs };
    },
    print: percent,
    isMet: atLeast(0.97),
  },
  {
    text: 'never below 0.98 of the speed of a peer',
    measure: (results) => results.againstPeers(),
    print: (value) => value.toFixed(2),
    isMet: atLeast(0.98),
  },
  {
    text: 'host CPU without compression: at most 0.08 s per MiB',
    measure: (results) =>
      results.worst(
        results.ours.filter(({ bytes, rounds }) => bytes * rounds >= WARM_BYTES),
        ({ cpu }) => cpu.own,
      ),
    print: (value) => `${(value / 1000).toFixed(3)} s`,
    isMet: atMost(80),
  },
  {
    text: '1 % of the sectors changed at 921600: at most 5 % of the full write (four times 1 MiB incompressible)',
    measure: (results) =>
      results.ratio('one-percent-921600', 'noise-921600', (one, full) => {
        return one.elapsedMs / ((full.elapsedMs * one.bytes) / full.bytes);
      }),
    print: percent,
    isMet: atMost(0.05),
  },
  {
    text: 'nothing changed in 2.5 MiB: at most 1.5 s',
    measure: (results) => results.elapsed('unchanged-921600'),
    print: seconds,
    isMet: atMost(1500),
  },
  {
    text: 'open to stub running, classic reset: at most 1.2 s',
    measure: (results) => results.elapsed('open-921600'),
    print: seconds,
    isMet: atMost(1200),
  },
  {
    text: '8 boards at 921600: at least 95 % of eight times one',
    measure: (results) =>
      results.ratio('noise-8-boards-921600', 'noise-921600', (eight, one) => one.elapsedMs / eight.elapsedMs),
    print: percent,
    isMet: atLeast(0.95),
  },
  {
    text: 'no stall of the event loop above 20 ms',
    measure: (results) => results.worst(results.ours, ({ stallMs }) => stallMs),
    print: (value) => `${value.toFixed(0)} ms`,
    isMet: atMost(20),
  },
  {
    text: '16 MiB read back: within 1.2 times the wire time',
    measure: (results) => results.ratio('read-usb', 'read-usb', ({ elapsedMs, bound }) => elapsedMs / bound.wireMs),
    print: (value) => value.toFixed(2),
    isMet: atMost(1.2),
  },
  {
    text: '16 MiB read back: within 64 MiB beyond the result',
    measure: (results) =>
      results.ratio('read-usb', 'read-usb', ({ memoryMib, bytes }) => memoryMib - bytes / 0x10_0000),
    print: (value) => `${value.toFixed(0)} MiB`,
    isMet: atMost(64),
  },
];

export function heldAgainstTargets(all: readonly FlashResult[]): Target[] {
  const results = new Results(all);
  return WISHES.map(({ text, measure, print, isMet }) => {
    const figure = measure(results);
    if (!figure) return { text, value: undefined, isMet: undefined };
    const where = figure.where === undefined ? '' : ` (${figure.where})`;
    return { text, value: `${print(figure.value)}${where}`, isMet: isMet(figure.value) };
  });
}
