/**
 * What work on the flash costs. It begins with typical figures and is corrected by what the running session measures, so that
 * decisions (what to compare, what to send) fit the line, the adapter and the flash that are really there.
 */
import { alignDown } from '#formats/bytes.ts';
import { BLOCK_SIZE, SECTOR_SIZE } from './flash-memory.ts';
import { SLIP_FILLER } from './slip.ts';

/** Milliseconds. */
export interface FlashCosts {
  /** A command and its answer, besides its work. */
  roundTrip: number;
  /** A byte hashed by the board. */
  md5: number;
  /** A byte sent over the line. */
  wire: number;
  /** A byte programmed. */
  program: number;
  /** 4 KiB erased. */
  eraseSector: number;
  /** 64 KiB erased at once. */
  eraseBlock: number;
  /** The flash is erased and programmed while the next bytes come in. */
  overlaps: boolean;
}

/** What can be measured. */
type FlashFigures = Omit<FlashCosts, 'overlaps'>;

/**
 * 921600 baud with ten bits a byte; a flash of the W25Q class by the typical figures of its data sheet; the stub's MD5 as users of esptool
 * report it.
 */
export const TYPICAL_COSTS: FlashCosts = {
  roundTrip: 3,
  md5: 1 / 4194,
  wire: 10_000 / 921_600,
  program: 0.5 / 256,
  eraseSector: 45,
  eraseBlock: 150,
  overlaps: true,
};

/** Share that a new measurement has in a figure. */
const WEIGHT = 0.3;
/** Bytes from which a digest takes long enough to tell its speed. */
const MEASURABLE_MD5 = 0x8000;
/** Commands around a transfer that carry no data: BEGIN and END. */
const FRAME_COMMANDS = 2;

/** The figures of one session. */
export class CostMeter {
  #costs: FlashCosts = { ...TYPICAL_COSTS };

  get costs(): FlashCosts {
    return this.#costs;
  }

  /** What the line carries now, and whether the loader works meanwhile. */
  setLine({ bytesPerSecond, overlaps }: { bytesPerSecond: number; overlaps: boolean }): void {
    this.#costs = { ...this.#costs, wire: 1000 / bytesPerSecond, overlaps };
  }

  /** A digest over so many bytes came after so many milliseconds; `ahead`: after the one before it, asked for meanwhile. */
  noteMd5(length: number, ms: number, { ahead = false } = {}): void {
    const { roundTrip, md5, wire } = this.#costs;
    if (ahead) {
      // A shorter time is that of the line.
      if (length >= MEASURABLE_MD5 && ms > roundTrip + SLIP_FILLER.length * wire) this.#learn({ md5: ms / length });
    } else if (length >= MEASURABLE_MD5) this.#learn({ md5: Math.max(0, ms - roundTrip) / length });
    else this.#learn({ roundTrip: Math.max(0, ms - md5 * length) });
  }

  /** Sectors in whole blocks were erased. */
  noteErase(length: number, ms: number): void {
    if (length < BLOCK_SIZE || length % BLOCK_SIZE !== 0) return;
    this.#learn({ eraseBlock: (Math.max(0, ms - this.#costs.roundTrip) * BLOCK_SIZE) / length });
  }

  #learn(seen: Partial<FlashFigures>): void {
    const next = { ...this.#costs };
    for (const name of Object.keys(seen) as (keyof FlashFigures)[]) {
      next[name] += WEIGHT * ((seen[name] ?? next[name]) - next[name]);
    }
    this.#costs = next;
  }
}

/** Milliseconds for digests of so many equal parts of so many bytes in all, asked for at once. */
export function digestsCost(count: number, bytes: number, { roundTrip, md5, wire, overlaps }: FlashCosts): number {
  const work = bytes * md5;
  // Two are under way: each waits for the work of the one before, or for half of the line.
  return overlaps
    ? roundTrip + Math.max(work, (count * (roundTrip + SLIP_FILLER.length * wire)) / 2)
    : count * roundTrip + work;
}

/** Milliseconds to erase and write a range that starts at a sector, its bytes sent as they are. */
export function writeCost({ offset, length }: { offset: number; length: number }, costs: FlashCosts): number {
  const flash = eraseCost(offset, length, costs) + length * costs.program;
  const wire = length * costs.wire;
  return (costs.overlaps ? Math.max(wire, flash) : wire + flash) + FRAME_COMMANDS * costs.roundTrip;
}

/** By blocks where they fit, by sectors elsewhere, as stub and chip do. */
function eraseCost(offset: number, length: number, { eraseSector, eraseBlock }: FlashCosts): number {
  let ms = 0;
  const end = offset + length;
  for (let at = alignDown(offset, SECTOR_SIZE); at < end;) {
    const whole = at % BLOCK_SIZE === 0 && end - at >= BLOCK_SIZE;
    ms += whole ? eraseBlock : eraseSector;
    at += whole ? BLOCK_SIZE : SECTOR_SIZE;
  }
  return ms;
}
