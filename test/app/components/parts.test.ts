// @vitest-environment happy-dom
import { fireEvent, render, screen, within } from '@testing-library/svelte';
import { createRawSnippet } from 'svelte';
import { describe, expect, test, vi } from 'vitest';
import Button from '../../../src/app/components/Button.svelte';
import FileDrop from '../../../src/app/components/FileDrop.svelte';
import { type FlashArea } from '../../../src/app/components/FlashMap/flash-area.ts';
import FlashMap from '../../../src/app/components/FlashMap/FlashMap.svelte';
import { type LogLine } from '../../../src/app/components/log-line.ts';
import LogView from '../../../src/app/components/LogView.svelte';
import Notice from '../../../src/app/components/Notice.svelte';
import Phases from '../../../src/app/components/Phases.svelte';
import ProgressLine from '../../../src/app/components/ProgressLine.svelte';
import TextField from '../../../src/app/components/TextField.svelte';

const words = (text: string): ReturnType<typeof createRawSnippet> =>
  createRawSnippet(() => ({ render: () => `<span>${text}</span>` }));

const MIB = 0x10_0000;
const AREAS: FlashArea[] = [
  { id: 'boot', label: 'boot loader', role: 'boot', offset: 0, size: 0x8000, state: 'written' },
  { id: 'nvs', label: 'nvs', role: 'settings', offset: 0x9000, size: 0x4000, state: 'kept', detail: '2 settings' },
  { id: 'pa', label: 'PA app', role: 'app', offset: 0x1_0000, size: MIB, used: 1000, state: 'writing', done: 0.5 },
];

describe('the flash map', () => {
  const show = (): HTMLElement[] => {
    render(FlashMap, { areas: AREAS, size: 4 * MIB, label: 'Flash' });
    return within(screen.getByRole('listbox', { name: 'Flash' })).getAllByRole('option');
  };

  test('is a list in which every area, and every gap, says all that is shown of it', () => {
    expect(show().map((option) => option.getAttribute('aria-label'))).toEqual([
      'boot loader, 32 KiB, 0x0 to 0x7fff, written',
      'free, 4 KiB, 0x8000 to 0x8fff',
      'nvs, settings, 2 settings, 16 KiB, 0x9000 to 0xcfff, kept',
      'free, 12 KiB, 0xd000 to 0xffff',
      'PA app, 1000 bytes of 1 MiB, 0x10000 to 0x10ffff, being written, 50 %',
      'free, 2.94 MiB, 0x110000 to 0x3fffff',
    ]);
  });

  test('has one stop of the tab key; arrows, Home and End go on from there', async () => {
    const options = show();
    const stops = (): number[] =>
      options.flatMap((option, index) => (option.getAttribute('tabindex') === '0' ? [index] : []));
    expect(stops()).toEqual([0]);
    options[0]!.focus();
    await fireEvent.keyDown(options[0]!, { key: 'ArrowRight' });
    expect(stops()).toEqual([1]);
    expect(document.activeElement).toBe(options[1]);
    await fireEvent.keyDown(options[1]!, { key: 'End' });
    expect(document.activeElement).toBe(options[5]);
    await fireEvent.keyDown(options[5]!, { key: 'ArrowRight' });
    expect(document.activeElement).toBe(options[5]);
    await fireEvent.keyDown(options[5]!, { key: 'Home' });
    expect(options.map((option) => option.getAttribute('aria-selected'))).toEqual([
      'true',
      ...Array<string>(5).fill('false'),
    ]);
  });

  test('is a table on demand, gaps too', async () => {
    show();
    expect(screen.queryByRole('table')).toBeNull();
    await fireEvent.click(screen.getByRole('button', { name: /table/i }));
    const rows = within(screen.getByRole('table')).getAllByRole('row');
    expect(rows).toHaveLength(7);
    expect(
      within(rows[3]!)
        .getAllByRole('cell')
        .map((cell) => cell.textContent),
    ).toEqual(expect.arrayContaining(['0x9000', '16 KiB', 'kept', '2 settings']));
  });
});

describe('a drop zone', () => {
  const dropped = (...files: File[]): object => ({
    dataTransfer: { items: [], files },
  });

  test('gives what was dropped and says so', async () => {
    const onfiles = vi.fn();
    render(FileDrop, { title: 'A build', onfiles });
    await fireEvent.drop(screen.getByRole('group', { name: 'A build' }), dropped(new File(['x'], 'app.bin')));
    await vi.waitFor(() => expect(onfiles).toHaveBeenCalledOnce());
    expect(onfiles.mock.calls[0]![0]).toMatchObject([{ path: 'app.bin' }]);
    await vi.waitFor(() => expect(screen.getByRole('status').textContent).toContain('app.bin'));
  });

  test('for one file takes only the first', async () => {
    const onfiles = vi.fn();
    render(FileDrop, { title: 'Data', multiple: false, folders: false, onfiles });
    await fireEvent.drop(screen.getByRole('group'), dropped(new File(['x'], 'a'), new File(['y'], 'b')));
    await vi.waitFor(() => expect(onfiles.mock.calls[0]?.[0]).toHaveLength(1));
  });

  test('takes nothing while it is busy', async () => {
    const onfiles = vi.fn();
    render(FileDrop, { title: 'A build', busy: true, onfiles });
    await fireEvent.drop(screen.getByRole('group'), dropped(new File(['x'], 'app.bin')));
    await Promise.resolve();
    expect(onfiles).not.toHaveBeenCalled();
  });
});

describe('small parts', () => {
  test('a busy button keeps its place but takes no press', async () => {
    const onclick = vi.fn();
    const { rerender } = render(Button, { onclick, busy: true, children: words('Go') });
    await fireEvent.click(screen.getByRole('button', { name: 'Go' }));
    expect(onclick).not.toHaveBeenCalled();
    await rerender({ onclick, busy: false, children: words('Go') });
    await fireEvent.click(screen.getByRole('button', { name: 'Go' }));
    expect(onclick).toHaveBeenCalledOnce();
  });

  test('a password is hidden until it is asked for, and its field tells its error', async () => {
    render(TextField, { label: 'Password', value: 'secret', secret: true, error: 'Too short' });
    const field = screen.getByLabelText('Password');
    expect(field.getAttribute('type')).toBe('password');
    expect(field.getAttribute('autocomplete')).toBe('one-time-code');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(document.getElementById(field.getAttribute('aria-describedby')!)!.textContent).toContain('Too short');
    await fireEvent.click(screen.getByRole('button', { name: 'Show password' }));
    expect(field.getAttribute('type')).toBe('text');
  });

  test('a notice has its sign in words too, and shows all parts of a message', () => {
    render(Notice, { kind: 'objection', message: { what: 'One.', state: 'Two.', todo: 'Three.' }, code: 'some-code' });
    const text = document.body.textContent.replaceAll(/\s+/g, ' ');
    expect(text).toMatch(/\S+: One\. Two\. Three\. some-code/);
  });

  test('progress that is known has a value, progress that is not has none', () => {
    render(ProgressLine, { label: 'Writing', done: 1, total: 3 });
    render(ProgressLine, { label: 'Waiting' });
    expect(screen.getByRole('progressbar', { name: 'Writing' }).getAttribute('aria-valuenow')).toBe('33');
    expect(screen.getByRole('progressbar', { name: 'Waiting' }).hasAttribute('aria-valuenow')).toBe(false);
  });

  test('phases say their state in words, and which is the current one', () => {
    render(Phases, {
      phases: [
        { id: 'a', title: 'Connect', state: 'done' },
        { id: 'b', title: 'Write', state: 'running', detail: '1 of 2 MiB' },
      ],
    });
    const [first, second] = screen.getAllByRole('listitem');
    expect(first!.textContent).toMatch(/Connect,\s*done/);
    expect(second!.getAttribute('aria-current')).toBe('step');
  });

  test('a log draws its last lines only', () => {
    const lines: LogLine[] = Array.from({ length: 50 }, (_, id) => ({ id, text: `line ${id}` }));
    render(LogView, { lines, limit: 10 });
    expect(screen.queryByText('line 39')).toBeNull();
    expect(screen.getByText('line 40')).toBeTruthy();
    expect(screen.getByText('line 49')).toBeTruthy();
  });
});
