/**
 * Telnet as far as RFC 2217 needs it: commands between 8-bit data (RFC 854, 855, 856), and options that both ends agree on.
 * Pure: bytes in, events and bytes out.
 */

/** The byte that makes the next one a command; as data it is sent twice. */
const IAC = 255;
const SUBNEGOTIATION = 250;
const SUBNEGOTIATION_END = 240;

/** What one end says of an option: that it will or will not do it, or asks the other to do it or not. */
export const Verb = { Will: 251, Wont: 252, Do: 253, Dont: 254 } as const;
export type Verb = (typeof Verb)[keyof typeof Verb];

/** Options by their number; the COM-PORT-OPTION is RFC 2217's. */
export const TelnetOption = { Binary: 0, SuppressGoAhead: 3, ComPort: 44 } as const;

/** Longest subnegotiation in bytes that is kept; RFC 2217's longest is a signature text. Longer ones are thrown away. */
const MAX_SUBNEGOTIATION = 512;

/** `data` as it goes over the line: each FF doubled. The same array where there is none. */
export function escapeData(data: Uint8Array): Uint8Array {
  if (!data.includes(IAC)) return data;
  let escapes = 0;
  for (let at = 0; at < data.length; at++) if (data[at] === IAC) escapes++;
  const line = new Uint8Array(data.length + escapes);
  for (let at = 0, length = 0; at < data.length; at++) {
    const byte = data[at] ?? 0;
    line[length++] = byte;
    if (byte === IAC) line[length++] = IAC;
  }
  return line;
}

/** Copies data from `at` on up to the next command, a doubled FF as one. @returns where both arrays go on. */
function copyData(line: Uint8Array, at: number, data: Uint8Array, length: number): { at: number; length: number } {
  for (; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === IAC && line[++at] !== IAC) return { at: at - 1, length };
    data[length++] = byte;
  }
  return { at, length };
}

export const encodeVerb = (verb: Verb, option: number): Uint8Array => Uint8Array.of(IAC, verb, option);

export function encodeSubnegotiation(option: number, payload: Uint8Array): Uint8Array {
  return Uint8Array.of(IAC, SUBNEGOTIATION, option, ...escapeData(payload), IAC, SUBNEGOTIATION_END);
}

/** What a decoder finds, in the order of the line. */
export interface TelnetEvents {
  /** The array may be the one that was pushed. */
  data(bytes: Uint8Array): void;
  verb(verb: Verb, option: number): void;
  /** `payload` is a copy. */
  subnegotiation(option: number, payload: Uint8Array): void;
}

/**
 * Takes a line apart that arrives in any pieces. Other commands (go ahead, are you there, …) are passed over; a
 * subnegotiation that another command breaks off, or that is too long, is dropped.
 */
export class TelnetDecoder {
  readonly #events: TelnetEvents;
  #state: 'data' | 'command' | 'verb' | 'subnegotiation' | 'subnegotiation-command' = 'data';
  #verb: Verb = Verb.Wont;
  readonly #payload = new Uint8Array(MAX_SUBNEGOTIATION);
  /** Bytes of the subnegotiation so far; beyond the buffer they are only counted. */
  #length = 0;

  constructor(events: TelnetEvents) {
    this.#events = events;
  }

  push(bytes: Uint8Array): void {
    if (this.#state === 'data' && !bytes.includes(IAC)) {
      this.#emit(bytes);
      return;
    }
    const data = new Uint8Array(bytes.length);
    let from = 0;
    let length = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#state === 'data') {
        ({ at, length } = copyData(bytes, at, data, length));
        if (at < bytes.length) this.#command(IAC);
      } else if (this.#state === 'command' && byte === IAC) {
        data[length++] = byte;
        this.#state = 'data';
      } else {
        // What came before a command has to be told before it.
        if (this.#state === 'verb' || this.#state === 'subnegotiation-command') {
          this.#emit(data.subarray(from, length));
          from = length;
        }
        this.#command(byte);
      }
    }
    this.#emit(data.subarray(from, length));
  }

  #emit(data: Uint8Array): void {
    if (data.length > 0) this.#events.data(data);
  }

  /** A byte that is no data. */
  #command(byte: number): void {
    switch (this.#state) {
      case 'data':
        this.#state = 'command';
        return;
      case 'command':
        this.#begin(byte);
        return;
      case 'verb':
        this.#state = 'data';
        this.#events.verb(this.#verb, byte);
        return;
      case 'subnegotiation':
        if (byte === IAC) this.#state = 'subnegotiation-command';
        else this.#keep(byte);
        return;
      case 'subnegotiation-command':
        if (byte === IAC) {
          this.#keep(byte);
          this.#state = 'subnegotiation';
        } else if (byte === SUBNEGOTIATION_END) this.#end();
        else this.#begin(byte);
    }
  }

  #begin(byte: number): void {
    if (byte === SUBNEGOTIATION) {
      this.#length = 0;
      this.#state = 'subnegotiation';
    } else if (byte >= Verb.Will && byte <= Verb.Dont) {
      this.#verb = byte as Verb;
      this.#state = 'verb';
    } else this.#state = 'data';
  }

  #keep(byte: number): void {
    if (this.#length < this.#payload.length) this.#payload[this.#length] = byte;
    this.#length++;
  }

  #end(): void {
    this.#state = 'data';
    if (this.#length === 0 || this.#length > this.#payload.length) return;
    this.#events.subnegotiation(this.#payload[0] ?? 0, this.#payload.slice(1, this.#length));
  }
}

/**
 * `asked`: our wish is on its way. `refused`: the other end does not want it, or no more.
 * `unwanted`: we do not want it, and have said so.
 */
export type OptionState = 'off' | 'asked' | 'on' | 'refused' | 'unwanted';

/**
 * One end's options. Each is asked for once at most, and an answer is given only where it changes something or refuses
 * (RFC 1143 without its queue, which only those need who change their mind), so two ends never talk in a circle.
 */
export class TelnetOptions {
  readonly #send: (verb: Verb, option: number) => void;
  readonly #ours = new Map<number, OptionState>();
  readonly #theirs = new Map<number, OptionState>();

  /** `ours`: what we are ready to do; `theirs`: what the other end may do. All else is refused. */
  constructor(
    wanted: { ours: readonly number[]; theirs: readonly number[] },
    send: (verb: Verb, option: number) => void,
  ) {
    this.#send = send;
    for (const option of wanted.ours) this.#ours.set(option, 'off');
    for (const option of wanted.theirs) this.#theirs.set(option, 'off');
  }

  /** Asks for everything that is not on. */
  ask(): void {
    for (const [verb, side] of [[Verb.Will, this.#ours] as const, [Verb.Do, this.#theirs] as const]) {
      for (const [option, state] of side) {
        if (state !== 'off') continue;
        side.set(option, 'asked');
        this.#send(verb, option);
      }
    }
  }

  /** What has become of an option of ours. */
  ours(option: number): OptionState {
    return this.#ours.get(option) ?? 'off';
  }

  receive(verb: Verb, option: number): void {
    const isOurs = verb === Verb.Do || verb === Verb.Dont;
    const side = isOurs ? this.#ours : this.#theirs;
    const before = side.get(option);
    if (verb === Verb.Do || verb === Verb.Will) {
      // Said once: an end that insists gets no more answers.
      if (before === 'unwanted') return;
      side.set(option, before === undefined ? 'unwanted' : 'on');
      if (before === undefined) this.#send(isOurs ? Verb.Wont : Verb.Dont, option);
      if (before === 'off' || before === 'refused') this.#send(isOurs ? Verb.Will : Verb.Do, option);
    } else {
      if (before === 'on') this.#send(isOurs ? Verb.Wont : Verb.Dont, option);
      if (before === 'on' || before === 'asked') side.set(option, 'refused');
    }
  }
}
