/** The virtual board of the page, over real messages and in real (but faster) time. */
import { Bootloader } from '#device/bootloader.ts';
import { DemoBoard } from '#app/demo/demo-board.ts';
import { DEMO_CHIPS, type DemoSettings } from '#app/demo/demo-messages.ts';
import { PacedClock } from '#app/demo/paced-clock.ts';
import { serveVirtualBoard } from '#app/demo/virtual-board-host.ts';
import { afterEach, expect, test } from 'vitest';

const channels: MessageChannel[] = [];

function demoBoard(settings: Partial<DemoSettings> = {}, onEnd?: () => void): DemoBoard {
  const channel = new MessageChannel();
  channels.push(channel);
  serveVirtualBoard(channel.port1);
  return new DemoBoard(channel.port2, { chip: 'esp32', speed: 40, ...settings }, onEnd);
}

afterEach(() => {
  for (const { port1, port2 } of channels.splice(0)) {
    port1.close();
    port2.close();
  }
});

const connect = async (board: DemoBoard): Promise<Bootloader> =>
  Bootloader.connect(await board.request(), { clock: new PacedClock(4), ports: board });

test.each(DEMO_CHIPS)('a virtual %s is identified, written, and reads back through the page’s port', async (chip) => {
  const board = demoBoard({ chip });
  const bootloader = await connect(board);
  expect(bootloader.identity.chip.name).toBe(chip);
  const data = Uint8Array.from({ length: 0x3000 }, (_, index) => (index * 31) & 0xff);
  await bootloader.write(0x2000, data);
  expect(await bootloader.read(0x2000, data.length)).toEqual(data);
  await bootloader.close();
  expect((await board.flash()).slice(0x2000, 0x5000)).toEqual(data);
});

test('a pulled cable loses the port; plugged in again, the board has another one', async () => {
  const board = demoBoard();
  const [first] = await board.list();
  const bootloader = await connect(board);
  const reading = expect(bootloader.read(0, 0x10_0000)).rejects.toMatchObject({ code: 'port-lost' });
  await board.act('pull-cable');
  await reading;
  await bootloader.close();
  expect(await board.list()).toEqual([]);
  await expect(board.request()).rejects.toMatchObject({ name: 'NotFoundError' });
  await board.act('plug-in');
  const [second] = await board.list();
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
  const again = await connect(board);
  await again.close();
});

test.each([
  ['no-reset', 'normal-boot'],
  ['deaf', 'download-no-reply'],
  ['silent', 'silent'],
  ['busy', 'port-in-use-or-missing'],
])('the fault %s ends in %s', async (fault, code) => {
  await expect(connect(demoBoard({ fault }))).rejects.toMatchObject({ code });
});

test.each([
  ['esp32', 'secure-boot', { secureBoot: 'v2' }],
  ['esp32s3', 'flash-encryption', { flashEncryption: 'release' }],
  ['esp32c3', 'secure-download', { secureDownload: true }],
] as const)('an %s with %s says so', async (chip, fault, security) => {
  const bootloader = await connect(demoBoard({ chip, fault }));
  expect(bootloader.identity.security).toMatchObject(security);
  await bootloader.close();
});

test('a board may have something in its flash, of another size, from the start', async () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const board = demoBoard({ flashSize: 0x20_0000, contents: [{ offset: 0x9000, bytes }] });
  const bootloader = await connect(board);
  expect(bootloader.identity.flashSize).toBe(0x20_0000);
  expect(await bootloader.read(0x9000, 4)).toEqual(bytes);
  await bootloader.close();
});

test('held by its boot button, a board without reset lines listens', async () => {
  const board = demoBoard({ fault: 'no-reset' });
  await board.list();
  await board.act('hold-boot');
  const bootloader = await connect(board);
  await bootloader.close();
});

test('a blank board takes the place of the written one', async () => {
  const board = demoBoard();
  const bootloader = await connect(board);
  await bootloader.write(0, new Uint8Array(16));
  await bootloader.close();
  await board.act('blank');
  expect((await board.flash()).every((byte) => byte === 0xff)).toBe(true);
  await (await connect(board)).close();
});

test('one that is thrown away ends its worker, and leaves nobody waiting', async () => {
  let ends = 0;
  const board = demoBoard({}, () => ends++);
  const bootloader = await connect(board);
  const reading = expect(bootloader.read(0, 0x10_0000)).rejects.toMatchObject({ name: 'DeviceError' });
  board.end();
  await reading;
  await bootloader.close();
  expect(ends).toBe(1);
  await expect(board.flash()).rejects.toMatchObject({ name: 'NetworkError' });
});
