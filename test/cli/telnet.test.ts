import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeSubnegotiation,
  encodeVerb,
  escapeData,
  TelnetDecoder,
  TelnetOptions,
  Verb,
} from '../../src/cli/ports/telnet.ts';
import { concatBytes, fromHex, toHex } from '../../src/formats/bytes.ts';

/** What a decoder tells of these pieces; data that follow each other are one event, however they were cut. */
function decode(...pieces: Uint8Array[]): string[] {
  const events: string[] = [];
  let data = '';
  const flush = (): void => {
    if (data !== '') events.push(`data ${data}`);
    data = '';
  };
  const note = (event: string): void => {
    flush();
    events.push(event);
  };
  const decoder = new TelnetDecoder({
    data: (bytes) => (data += toHex(bytes)),
    verb: (verb, option) => note(`verb ${verb} ${option}`),
    subnegotiation: (option, payload) => note(`option ${option} ${toHex(payload)}`),
  });
  for (const piece of pieces) decoder.push(piece);
  flush();
  return events;
}

const LINES: [name: string, line: string, events: string[]][] = [
  ['plain data', '00 0d 0a 11 13 fe', ['data 000d0a1113fe']],
  ['FF in data', '01 ff ff 02 ff ff ff ff', ['data 01ff02ffff']],
  ['an option between data', '41 ff fd 2c 42', ['data 41', 'verb 253 44', 'data 42']],
  ['an option whose number is FF', 'ff fb ff 41', ['verb 251 255', 'data 41']],
  ['a subnegotiation', 'ff fa 2c 65 00 01 c2 00 ff f0', ['option 44 650001c200']],
  ['FF in a subnegotiation', 'ff fa 2c 01 00 00 ff ff 01 ff f0 41', ['option 44 010000ff01', 'data 41']],
  [
    'data, then a line that falls, then data',
    '41 ff ff ff fa 2c 05 09 ff f0 42',
    ['data 41ff', 'option 44 0509', 'data 42'],
  ],
  ['commands that mean nothing here', '41 ff f1 42 ff f9 43 ff f0 44', ['data 41424344']],
  ['a subnegotiation broken off by an option', 'ff fa 2c 05 ff fb 00 41', ['verb 251 0', 'data 41']],
  ['a subnegotiation broken off by another', 'ff fa 2c 05 ff fa 2c 07 ff f0', ['option 44 07']],
  ['an empty subnegotiation', 'ff fa ff f0 41', ['data 41']],
  ['one that ends in the middle', '41 ff fa 2c 05', ['data 41']],
];

describe('the decoder', () => {
  test.each(LINES)('%s', (_, hex, events) => {
    expect(decode(fromHex(hex))).toEqual(events);
  });

  test.each(LINES)('%s, cut at every byte', (_, hex, events) => {
    const line = fromHex(hex);
    for (let at = 0; at <= line.length; at++) expect(decode(line.subarray(0, at), line.subarray(at))).toEqual(events);
    expect(decode(...[...line].map((byte) => Uint8Array.of(byte)))).toEqual(events);
  });

  test('a subnegotiation that never ends is dropped, and what follows is read', () => {
    const line = concatBytes(fromHex('ff fa 2c'), new Uint8Array(100_000), fromHex('ff f0 41'));
    expect(decode(line)).toEqual(['data 41']);
  });

  test('data without FF are passed on as they are', () => {
    const line = fromHex('00 01 02');
    const seen: Uint8Array[] = [];
    new TelnetDecoder({
      data: (bytes) => seen.push(bytes),
      verb: () => undefined,
      subnegotiation: () => undefined,
    }).push(line);
    expect(seen).toEqual([line]);
    expect(seen[0]).toBe(line);
    expect(escapeData(line)).toBe(line);
  });

  test('any data come out as they went in, whatever is between and wherever it is cut', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => array.map((byte) => (byte % 3 === 0 ? 0xff : byte)));
    fc.assert(
      fc.property(bytes, bytes, fc.nat(200), (before, payload, cut) => {
        const line = concatBytes(escapeData(before), encodeSubnegotiation(44, payload), encodeVerb(Verb.Do, 3));
        const at = Math.min(cut, line.length);
        const data = before.length > 0 ? [`data ${toHex(before)}`] : [];
        expect(decode(line.subarray(0, at), line.subarray(at))).toEqual([
          ...data,
          `option 44 ${toHex(payload)}`,
          'verb 253 3',
        ]);
      }),
    );
  });
});

describe('the options', () => {
  /** Option 1 is ours, 2 is theirs; what is said in answer to `heard`. */
  function talk(heard: [Verb, number][], ask = false): [Verb, number][] {
    const said: [Verb, number][] = [];
    const options = new TelnetOptions({ ours: [1], theirs: [2] }, (verb, option) => said.push([verb, option]));
    if (ask) options.ask();
    for (const [verb, option] of heard) options.receive(verb, option);
    return said;
  }
  const { Will, Wont, Do, Dont } = Verb;
  const asked: [Verb, number][] = [
    [Will, 1],
    [Do, 2],
  ];

  test.each<[string, [Verb, number][], [Verb, number][]]>([
    ['what we do not know is refused, once', [[Do, 9], [Will, 9], [Do, 9]], [[Wont, 9], [Dont, 9]]], // prettier-ignore
    ['ours is not theirs', [[Will, 1], [Do, 2]], [[Dont, 1], [Wont, 2]]], // prettier-ignore
    ['what we want is agreed to, once', [[Do, 1], [Do, 1], [Will, 2], [Will, 2]], [[Will, 1], [Do, 2]]], // prettier-ignore
    ['what is taken back is given up, once', [[Do, 1], [Dont, 1], [Dont, 1]], [[Will, 1], [Wont, 1]]], // prettier-ignore
    [
      'a refusal of what was not asked needs no answer',
      [
        [Dont, 1],
        [Wont, 2],
        [Wont, 9],
      ],
      [],
    ],
  ])('%s', (_, heard, said) => {
    expect(talk(heard)).toEqual(said);
  });

  test.each<[string, [Verb, number][]]>([
    ['agreed to', [[Do, 1], [Will, 2]]], // prettier-ignore
    ['refused', [[Dont, 1], [Wont, 2]]], // prettier-ignore
  ])('the answer to what we asked for needs no answer: %s', (_, heard) => {
    expect(talk(heard, true)).toEqual(asked);
  });

  test('two ends that both ask come to rest', () => {
    const line: [to: 'a' | 'b', Verb, number][] = [];
    const end = (other: 'a' | 'b'): TelnetOptions =>
      new TelnetOptions({ ours: [0, 3, 44], theirs: [0, 3, 7] }, (...said) => line.push([other, ...said]));
    const ends = { a: end('b'), b: end('a') };
    ends.a.ask();
    ends.b.ask();
    let passed = 0;
    for (let next = line.shift(); next; next = line.shift()) {
      ends[next[0]].receive(next[1], next[2]);
      expect(++passed).toBeLessThan(50);
    }
    expect([ends.a.ours(0), ends.a.ours(3), ends.b.ours(44)]).toEqual(['on', 'on', 'refused']);
  });
});
