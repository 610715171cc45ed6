/**
 * A streaming inflater (RFC 1950, RFC 1951) that works like the one in the loaders: it fills a window of 32 KB, hands
 * the window over when it is full or the stream ends, and tells bad data from a wrong check value.
 */
const WINDOW = 0x8000;
const MASK = WINDOW - 1;

/** `more`: waits for bytes. `done`: the stream has ended. The others are for good. */
export type InflateStatus = 'more' | 'done' | 'bad-data' | 'bad-adler';

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Symbol in the upper bits, code length in the lower four; 0 where no code leads. Indexed by the next `bits` bits. */
interface CodeTable {
  readonly bits: number;
  readonly entries: Uint16Array;
}

/** Thrown inside only: the input ended in the middle of a step, which is done again when there is more. */
const UNDERFLOW = new Error('the input ends here');
const BAD = new Error('not a zlib stream');

function buildTable(lengths: ArrayLike<number>): CodeTable {
  const count = new Uint16Array(16);
  let bits = 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    count[length]!++;
    if (length > bits) bits = length;
  }
  count[0] = 0;
  const next = new Uint16Array(16);
  let code = 0;
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - count[length]!;
    if (left < 0) throw BAD;
    code = (code + count[length - 1]!) << 1;
    next[length] = code;
  }
  const entries = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    const reversed = reverseBits(next[length]!++, length);
    for (let index = reversed; index < entries.length; index += 1 << length) entries[index] = (symbol << 4) | length;
  }
  return { bits, entries };
}

function reverseBits(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >> bit) & 1) << (length - 1 - bit);
  return result;
}

const FIXED_LITERALS = buildTable(
  Uint8Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
);
const FIXED_DISTANCES = buildTable(new Uint8Array(30).fill(5));

export class Inflater {
  /** The last 32 KB; `filled` bytes of it have not been handed over yet. */
  readonly window = new Uint8Array(WINDOW);
  status: InflateStatus = 'more';
  filled = 0;

  readonly #onFull: (bytes: Uint8Array) => void;
  #step: 'header' | 'block' | 'stored' | 'codes' | 'trailer' = 'header';
  #input = new Uint8Array(0);
  #at = 0;
  #hold = 0;
  #held = 0;
  #last = false;
  #storedLeft = 0;
  #literals = FIXED_LITERALS;
  #distances = FIXED_DISTANCES;
  #adlerLow = 1;
  #adlerHigh = 0;
  #summed = 0;
  #checkTrailer = true;

  /** `onFull` gets a view of the full window; the rest lies in `window` (`filled` bytes) when the stream ends. */
  constructor(onFull: (bytes: Uint8Array) => void) {
    this.#onFull = onFull;
  }

  /**
   * Takes the next piece of the stream. Bytes behind its end are left over.
   *
   * @param checkTrailer false: the stream counts as done before its Adler-32, which is not looked at.
   * @returns how many bytes lie behind the end of the stream.
   */
  push(bytes: Uint8Array, checkTrailer = true): number {
    if (this.status !== 'more') return bytes.length;
    this.#checkTrailer = checkTrailer;
    const rest = this.#input.length - this.#at;
    const input = new Uint8Array(rest + bytes.length);
    input.set(this.#input.subarray(this.#at));
    input.set(bytes, rest);
    this.#input = input;
    this.#at = 0;
    this.#runSteps();
    return (this.status as InflateStatus) === 'done' ? this.#input.length - this.#at + (this.#held >> 3) : 0;
  }

  /** Puts the output back to the start of the window without handing anything over, as the stub does at block 0. */
  rewindOutput(): void {
    this.filled = 0;
    this.#summed = 0;
  }

  #runSteps(): void {
    for (;;) {
      const { at, hold, held } = { at: this.#at, hold: this.#hold, held: this.#held };
      try {
        if (this.#step === 'header') this.#header();
        else if (this.#step === 'block') this.#blockHeader();
        else if (this.#step === 'stored') this.#stored();
        else if (this.#step === 'codes') this.#codes();
        else this.#trailer();
        if (this.status !== 'more') return;
      } catch (reason) {
        if (reason === BAD) {
          this.status = 'bad-data';
          return;
        }
        if (reason !== UNDERFLOW) throw reason;
        if (this.#step !== 'codes' && this.#step !== 'stored') {
          this.#at = at;
          this.#hold = hold;
          this.#held = held;
        }
        this.#sum();
        return;
      }
    }
  }

  #bits(count: number): number {
    while (this.#held < count) {
      if (this.#at >= this.#input.length) throw UNDERFLOW;
      this.#hold |= this.#input[this.#at++]! << this.#held;
      this.#held += 8;
    }
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#held -= count;
    return value;
  }

  #symbol(table: CodeTable): number {
    while (this.#held < 15 && this.#at < this.#input.length) {
      this.#hold |= this.#input[this.#at++]! << this.#held;
      this.#held += 8;
    }
    const entry = table.entries[this.#hold & ((1 << table.bits) - 1)]!;
    const length = entry & 15;
    // Too few bits may point at a hole that more bits would not: only with enough of them a hole is an error.
    if (entry === 0 && this.#held >= table.bits) throw BAD;
    if (entry === 0 || length > this.#held) throw UNDERFLOW;
    this.#hold >>>= length;
    this.#held -= length;
    return entry >> 4;
  }

  #header(): void {
    const method = this.#bits(8);
    const flags = this.#bits(8);
    if ((method & 15) !== 8 || method >> 4 > 7 || (method * 256 + flags) % 31 !== 0 || flags & 0x20) throw BAD;
    this.#step = 'block';
  }

  #blockHeader(): void {
    this.#last = this.#bits(1) === 1;
    const type = this.#bits(2);
    if (type === 0) {
      this.#bits(this.#held & 7);
      const length = this.#bits(16);
      if ((this.#bits(16) ^ length) !== 0xffff) throw BAD;
      this.#storedLeft = length;
      this.#step = 'stored';
      return;
    }
    if (type === 3) throw BAD;
    if (type === 1) {
      this.#literals = FIXED_LITERALS;
      this.#distances = FIXED_DISTANCES;
    } else {
      this.#readTables();
    }
    this.#step = 'codes';
  }

  #readTables(): void {
    const literals = this.#bits(5) + 257;
    const distances = this.#bits(5) + 1;
    const codes = this.#bits(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let index = 0; index < codes; index++) codeLengths[CODE_ORDER[index]!] = this.#bits(3);
    const codeTable = buildTable(codeLengths);
    const lengths = new Uint8Array(literals + distances);
    for (let index = 0; index < lengths.length;) {
      const symbol = this.#symbol(codeTable);
      if (symbol < 16) {
        lengths[index++] = symbol;
        continue;
      }
      if (symbol === 16 && index === 0) throw BAD;
      const value = symbol === 16 ? lengths[index - 1]! : 0;
      const times = symbol === 16 ? 3 + this.#bits(2) : symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7);
      if (index + times > lengths.length) throw BAD;
      lengths.fill(value, index, index + times);
      index += times;
    }
    this.#literals = buildTable(lengths.subarray(0, literals));
    this.#distances = buildTable(lengths.subarray(literals));
  }

  #stored(): void {
    while (this.#storedLeft > 0) {
      if (this.#held >= 8) {
        this.#emit(this.#bits(8));
        this.#storedLeft--;
        continue;
      }
      const length = Math.min(this.#storedLeft, this.#input.length - this.#at, WINDOW - this.filled);
      if (length === 0) throw UNDERFLOW;
      this.window.set(this.#input.subarray(this.#at, this.#at + length), this.filled);
      this.#at += length;
      this.#storedLeft -= length;
      this.filled += length;
      if (this.filled === WINDOW) this.#handOver();
    }
    this.#endBlock();
  }

  #codes(): void {
    for (;;) {
      const at = this.#at;
      const hold = this.#hold;
      const held = this.#held;
      try {
        const symbol = this.#symbol(this.#literals);
        if (symbol < 256) {
          this.#emit(symbol);
        } else if (symbol === 256) {
          this.#endBlock();
          return;
        } else {
          this.#copy(symbol - 257);
        }
      } catch (reason) {
        this.#at = at;
        this.#hold = hold;
        this.#held = held;
        throw reason;
      }
    }
  }

  #copy(lengthCode: number): void {
    if (lengthCode > 28) throw BAD;
    const length = LENGTH_BASE[lengthCode]! + this.#bits(LENGTH_EXTRA[lengthCode]!);
    const distanceCode = this.#symbol(this.#distances);
    if (distanceCode > 29) throw BAD;
    const distance = DISTANCE_BASE[distanceCode]! + this.#bits(DISTANCE_EXTRA[distanceCode]!);
    for (let count = 0; count < length; count++) this.#emit(this.window[(this.filled - distance) & MASK]!);
  }

  #emit(byte: number): void {
    this.window[this.filled++] = byte;
    if (this.filled === WINDOW) this.#handOver();
  }

  #handOver(): void {
    this.#sum();
    this.#onFull(this.window);
    this.filled = 0;
    this.#summed = 0;
  }

  #endBlock(): void {
    this.#step = this.#last ? 'trailer' : 'block';
    if (!this.#last) return;
    this.#sum();
    if (!this.#checkTrailer) this.status = 'done';
  }

  #trailer(): void {
    this.#bits(this.#held & 7);
    const high = (this.#bits(8) << 8) | this.#bits(8);
    const low = (this.#bits(8) << 8) | this.#bits(8);
    this.status = !this.#checkTrailer || (high === this.#adlerHigh && low === this.#adlerLow) ? 'done' : 'bad-adler';
  }

  #sum(): void {
    let low = this.#adlerLow;
    let high = this.#adlerHigh;
    for (let at = this.#summed; at < this.filled;) {
      // 3800 additions of at most 255 stay far below 2^53 and even 2^31.
      const stop = Math.min(at + 3800, this.filled);
      for (; at < stop; at++) {
        low += this.window[at]!;
        high += low;
      }
      low %= 65521;
      high %= 65521;
    }
    this.#adlerLow = low;
    this.#adlerHigh = high;
    this.#summed = this.filled;
  }
}
