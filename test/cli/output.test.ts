/** The line of a terminal that changes, and what becomes of it elsewhere. */
import { expect, test } from 'vitest';
import { createOutput, type Output } from '../../src/cli/output.ts';

const CLEAR = '\r\u001b[K';

function outputTo(kind: 'terminal' | 'log' | 'json'): { output: Output; written: string[] } {
  const written: string[] = [];
  const write = (text: string): unknown => text !== '' && written.push(text);
  const out = { write, isTTY: kind === 'terminal', columns: 20 };
  return { output: createOutput({ out, err: { write } }, { json: kind === 'json' }), written };
}

test('a terminal shows one status at a time, below what is said', () => {
  const { output, written } = outputTo('terminal');
  output.status('1 of 2');
  output.status('1 of 2');
  output.status('2 of 2');
  output.say('update', {}, 'Kitchen is done');
  output.rest();
  output.say('done', {}, 'All are done');
  expect(written).toEqual(['1 of 2', CLEAR, '2 of 2', CLEAR, 'Kitchen is done\n', '2 of 2', CLEAR, 'All are done\n']);
});

test('a status never fills the line, which the terminal would break', () => {
  const { output, written } = outputTo('terminal');
  output.status('0123456789012345678');
  output.status('01234567890123456789');
  expect(written).toEqual(['0123456789012345678', CLEAR, '012345678901234567…']);
});

test.each(['log', 'json'] as const)('a %s has no status', (kind) => {
  const { output, written } = outputTo(kind);
  output.status('1 of 2');
  output.rest();
  expect(written).toEqual([]);
});
