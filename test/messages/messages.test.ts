import { describe, expect, test } from 'vitest';
import { DeviceError } from '#device/device-error.ts';
import { FormatError } from '#formats/format-error.ts';
import { DEVICE_MESSAGES } from '#messages/device-messages.ts';
import { errorMessage, isAbort } from '#messages/error-message.ts';
import { itemText } from '#messages/plan-messages.ts';
import { addressText, bytesText, countText, revisionText } from '#messages/units.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1023, '1023 bytes'],
  [1024, '1 KiB'],
  [1968, '1.92 KiB'],
  [24_576, '24 KiB'],
  [0x10_0000, '1 MiB'],
  [1_672_976, '1.6 MiB'],
  [0x1000_0000, '256 MiB'],
])('%i bytes read as %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test('addresses and revisions read as the field writes them', () => {
  expect([addressText(0x9000), revisionText(301), revisionText(4)]).toEqual(['0x9000', 'v3.1', 'v0.4']);
});

test('one is one, and more are many', () => {
  expect([countText(1, 'setting'), countText(0, 'setting'), countText(2, 'entry', 'entries')]).toEqual([
    '1 setting',
    '0 settings',
    '2 entries',
  ]);
});

describe('every device error', () => {
  test.each(Object.keys(DEVICE_MESSAGES) as (keyof typeof DEVICE_MESSAGES)[])(
    '%s says what happened, and what to do',
    (code) => {
      const message = errorMessage(new DeviceError(code, 'technical'));
      expect(message.code).toBe(code);
      for (const part of [message.what, message.state, message.todo]) {
        if (part !== undefined) expect(part).toMatch(/^[A-Z“].*[.]$/s);
      }
      // The closed picker is no failure: there is nothing to do.
      if (code !== 'no-port-chosen') expect(message.todo).toBeDefined();
      expect(message.what).not.toMatch(/!|oops/i);
    },
  );
});

test('a mistake in an input names file, line, column and offset', () => {
  const place = { file: 'table.csv', line: 3, column: 7 };
  const { what, code } = errorMessage(new FormatError('partition-bad-number', 'Not a number', { place }));
  expect(what).toBe('table.csv, line 3, column 7: Not a number.');
  expect(code).toBe('partition-bad-number');
  const named = new FormatError('release-unknown', 'letter.txt is a text file', {
    place: { file: 'build/letter.txt' },
  });
  expect(errorMessage(named).what).toBe('letter.txt is a text file.');
  expect(errorMessage(new FormatError('image-bad-magic', 'No image', { place: { offset: 32 } })).what).toContain(
    '0x20',
  );
});

test('a brown-out in a restart loop is told as one', () => {
  const loop = new WorkflowError('boot-loop', '', { values: { resets: 4, trouble: 'brownout' } });
  expect(errorMessage(loop).todo).toMatch(/cable/);
});

test('what nobody foresaw is told too, and an abort is no error', () => {
  expect(errorMessage(new TypeError('x is not a function'))).toMatchObject({ code: 'unexpected' });
  expect(isAbort(new DOMException('', 'AbortError'))).toBe(true);
  expect(isAbort(new Error('AbortError'))).toBe(false);
});

test('what a board holds is told by its kind', () => {
  const place = { label: 'nvs', offset: 0x9000, size: 0x4000, why: 'carried-over' } as const;
  expect(itemText({ ...place, content: 'settings', values: { count: 3, state: 'ok' } })).toEqual({
    what: '3 settings',
    fate: 'carried over',
  });
  expect(itemText({ ...place, content: 'settings', values: { state: 'encrypted' } }).what).toBe('settings, encrypted');
  expect(itemText({ ...place, content: 'app', values: { project: 'voice', version: '2.3' } }).what).toBe(
    'app voice 2.3',
  );
  expect(itemText({ ...place, content: 'data', values: { tag: 'v1' } }).what).toBe('data "v1"');
});
