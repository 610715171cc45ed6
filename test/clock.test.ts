import { describe, expect, test } from 'vitest';
import { sleep, systemClock, withLimit } from '#clock.ts';
import { ModelClock, StuckClockError } from '#model-clock.ts';

describe('modelled time', () => {
  test('jumps to the next timer, in order of time and then of setting', async () => {
    const clock = new ModelClock();
    const seen: [number, string][] = [];
    await clock.run(async () => {
      clock.after(50, () => seen.push([clock.now(), 'late']));
      clock.after(10, () => seen.push([clock.now(), 'first']));
      clock.after(10, () => seen.push([clock.now(), 'second']));
      await sleep(clock, 60_000);
    });
    expect(seen).toEqual([
      [10, 'first'],
      [10, 'second'],
      [50, 'late'],
    ]);
    expect(clock.now()).toBe(60_000);
  });

  test('stands still while something outside is under way', async () => {
    const clock = new ModelClock();
    let done = false;
    clock.after(5, () => (done = true));
    await clock.run(() => clock.outside(new Promise<void>((resolve) => setTimeout(resolve, 20))));
    expect(done).toBe(false);
    expect(clock.now()).toBe(0);
  });

  test('tells of a task that waits for nothing that can come', async () => {
    const clock = new ModelClock();
    await expect(clock.run(new Promise<void>(() => undefined))).rejects.toBeInstanceOf(StuckClockError);
  });

  test('advances by hand', async () => {
    const clock = new ModelClock();
    let fired = 0;
    clock.after(10, () => fired++);
    const cancel = clock.after(20, () => fired++);
    await clock.advance(15);
    cancel();
    await clock.advance(15);
    expect([fired, clock.now()]).toEqual([1, 30]);
  });
});

describe.each([
  ['modelled', () => new ModelClock()],
  ['the machine’s', () => systemClock],
])('on %s time', (_, make) => {
  const inTime = <T>(work: (clock: ReturnType<typeof make>) => Promise<T>): Promise<T> => {
    const clock = make();
    return clock instanceof ModelClock ? clock.run(() => work(clock)) : work(clock);
  };

  test('a sleep ends at once when it is aborted, with the abort’s reason', async () => {
    const controller = new AbortController();
    await inTime(async (clock) => {
      clock.after(1, () => controller.abort());
      await expect(sleep(clock, 100_000, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
      await expect(sleep(clock, 1, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
    });
  });

  test('a limit passes on what comes in time, and its own error otherwise', async () => {
    await inTime(async (clock) => {
      const soon = sleep(clock, 1).then(() => 'soon');
      await expect(withLimit(clock, soon, { ms: 5000 })).resolves.toBe('soon');
      await expect(withLimit(clock, Promise.reject(new Error('own')), { ms: 5000 })).rejects.toThrow('own');
      const never = new Promise<void>(() => undefined);
      await expect(withLimit(clock, never, { ms: 1, onTimeout: () => new Error('late') })).rejects.toThrow('late');
      const gone = AbortSignal.abort();
      await expect(withLimit(clock, never, { signal: gone })).rejects.toMatchObject({ name: 'AbortError' });
    });
  });
});
