import { ModelClock } from '#model-clock.ts';
import { FaultInjector } from '#sim/faults.ts';
import { type Machine, type Program, type ResetReason } from '#sim/machine.ts';
import { encodeSlip } from '#sim/loader/slip.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { describe, expect, test } from 'vitest';
import { decodeAnswers } from './support/frames.ts';
import { SYNC } from './support/loader-bench.ts';
import { dataRequest, wordRequest } from './support/stub-images.ts';

class FakeApp implements Program {
  readonly heard: number[] = [];
  stopped = false;
  readonly machine: Machine;
  readonly reason: ResetReason;

  constructor(machine: Machine, reason: ResetReason) {
    this.machine = machine;
    this.reason = reason;
    machine.send('app\r\n');
  }

  receive(bytes: Uint8Array): void {
    this.heard.push(...bytes);
  }

  stop(): void {
    this.stopped = true;
  }
}

function makeBoard(options: Partial<VirtualEsp32Options> = {}) {
  const clock = new ModelClock();
  const apps: FakeApp[] = [];
  const board = new VirtualEsp32({
    chip: 'esp32',
    startFirmware: (machine, reason) => {
      const app = new FakeApp(machine, reason);
      apps.push(app);
      return app;
    },
    ...options,
    clock,
  });
  let received = new Uint8Array(0);
  let lost = 0;
  const attach = (): void =>
    board.attach({
      receive: (bytes) => {
        const all = new Uint8Array(received.length + bytes.length);
        all.set(received);
        all.set(bytes, received.length);
        received = all;
      },
      lost: () => lost++,
    });
  attach();
  const take = (): Uint8Array => {
    const taken = received;
    received = new Uint8Array(0);
    return taken;
  };
  return { clock, board, apps, attach, take, text: () => new TextDecoder().decode(take()), lost: () => lost };
}

describe('starting', () => {
  test.each([
    { chip: 'esp32', boot: 'normal', line: 'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\napp' },
    {
      chip: 'esp32',
      boot: 'download',
      line: 'boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n',
    },
    { chip: 'esp32s3', boot: 'normal', line: 'rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\napp' },
    { chip: 'esp32s3', boot: 'download', line: 'boot:0x0 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n' },
    { chip: 'esp32c3', boot: 'normal', line: 'rst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\r\napp' },
    { chip: 'esp32c3', boot: 'download', line: 'boot:0x7 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n' },
  ] as const)('$chip, $boot', async ({ chip, boot, line }) => {
    const { clock, text } = makeBoard({ chip, boot });
    await clock.advance(200);
    expect(text()).toContain(line);
  });

  test.each<{ reason: ResetReason; chip: string; line: string }>([
    { reason: 'software', chip: 'esp32', line: 'rst:0x3 (SW_RESET)' },
    { reason: 'cpu-software', chip: 'esp32', line: 'rst:0xc (SW_CPU_RESET)' },
    { reason: 'watchdog', chip: 'esp32', line: 'rst:0x10 (RTCWDT_RTC_RESET)' },
    { reason: 'brownout', chip: 'esp32', line: 'rst:0xf (RTCWDT_BROWN_OUT_RESET)' },
    { reason: 'cpu-software', chip: 'esp32c3', line: 'rst:0xc (RTC_SW_CPU_RST)' },
    { reason: 'watchdog', chip: 'esp32s3', line: 'rst:0x10 (RTCWDT_RTC_RST)' },
  ])('after a reset by $reason the $chip says $line', async ({ reason, chip, line }) => {
    const { clock, board, text, apps } = makeBoard({ chip });
    await clock.advance(100);
    text();
    board.reset(reason);
    await clock.advance(100);
    expect(text()).toContain(line);
    expect(apps[0]?.stopped).toBe(true);
    expect(apps[1]?.reason).toBe(reason);
  });

  test('the ROM of a board with a 26 MHz crystal speaks at 74880 baud, the app at 115200', async () => {
    const { clock, board, text } = makeBoard({ crystalMhz: 26 });
    await clock.advance(200);
    const seen = text();
    expect(seen).not.toContain('rst:');
    expect(seen).toContain('app');
    board.setHostBaud(74_880);
    board.pressReset();
    await clock.advance(200);
    expect(text()).toContain('rst:0x1');
  });

  test('a software reset keeps the way that the straps showed, EN reads them anew', async () => {
    const { clock, board, text } = makeBoard({ boot: 'download' });
    await clock.advance(100);
    board.holdBootButton(false);
    text();
    board.reset('software');
    await clock.advance(100);
    expect(text()).toContain('waiting for download');
    board.pressReset();
    await clock.advance(100);
    expect(text()).toContain('app');
  });
});

describe('the line', () => {
  test('the ROM measures its rate on the first SYNC, and answers the second', async () => {
    const { clock, board, take } = makeBoard({ boot: 'download' });
    await clock.advance(100);
    take();
    board.setHostBaud(230_400);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(0);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(8);
    board.setHostBaud(115_200);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(0);
  });

  test.each<{ what: string; baud: number; autobaud?: number | false }>([
    { what: 'above what it can measure', baud: 1_500_000 },
    { what: 'above the limit that it is given', baud: 460_800, autobaud: 230_400 },
    { what: 'at all, when told so', baud: 460_800, autobaud: false },
  ])('the ROM does not measure a rate $what', async ({ baud, ...options }) => {
    const { clock, board, take } = makeBoard({ boot: 'download', ...options });
    await clock.advance(100);
    board.setHostBaud(baud);
    for (let count = 0; count < 4; count++) {
      board.hostWrites(encodeSlip(SYNC));
      await clock.advance(100);
    }
    board.setHostBaud(115_200);
    take();
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(8);
  });

  test('a host may start at 921600, but the texts of the ROM come at 115200, after a reset too', async () => {
    const { clock, board, text, take } = makeBoard({ boot: 'download' });
    board.setHostBaud(921_600);
    await clock.advance(100);
    expect(text()).not.toContain('waiting');
    for (let resets = 0; resets < 2; resets++) {
      for (let count = 0; count < 2; count++) {
        take();
        board.hostWrites(encodeSlip(SYNC));
        await clock.advance(100);
      }
      expect(decodeAnswers(take()).length).toBe(8);
      board.pressReset();
      await clock.advance(100);
      expect(text()).not.toContain('waiting');
    }
    board.setHostBaud(115_200);
    board.pressReset();
    await clock.advance(100);
    expect(text()).toContain('waiting for download');
  });

  test('CHANGE_BAUDRATE answers at the old rate and goes on at the new one', async () => {
    const { clock, board, take } = makeBoard({ boot: 'download' });
    await clock.advance(100);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    take();
    board.hostWrites(encodeSlip(wordRequest(0x0f, 921_600, 0)));
    await clock.advance(100);
    const answer = take();
    expect(decodeAnswers(answer)[0]?.op).toBe(0x0f);
    // The empty frame behind the answer comes at the new rate: garbage here.
    expect(answer.at(-1)).not.toBe(0xc0);
    board.setHostBaud(921_600);
    board.hostWrites(encodeSlip(wordRequest(0x0a, 0x4000_1000)));
    await clock.advance(100);
    expect(decodeAnswers(take())[0]?.value).toBe(0x00f0_1d83);
  });

  test('what is written while the ROM starts waits in the UART; what is written in reset is lost', async () => {
    const { clock, board, take } = makeBoard({ boot: 'download', instantLine: true });
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(8);
    board.setModemLines({ dtr: false, rts: true });
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    board.setModemLines({ dtr: false, rts: false });
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(0);
  });

  test.each([
    { cut: 'to-device', answers: 0, banner: true },
    { cut: 'to-host', answers: 0, banner: false },
  ] as const)('with the wire $cut cut there are no answers', async ({ cut, answers, banner }) => {
    const { clock, board, take } = makeBoard({ boot: 'download', cut: [cut] });
    await clock.advance(100);
    expect(new TextDecoder().decode(take()).includes('waiting')).toBe(banner);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(answers);
  });

  test('without wires for DTR and RTS the chip goes on running', async () => {
    const { clock, board, apps } = makeBoard({ cut: ['modem'] });
    await clock.advance(100);
    board.setModemLines({ dtr: false, rts: true });
    board.setModemLines({ dtr: true, rts: false });
    await clock.advance(500);
    expect(apps.length).toBe(1);
  });
});

describe('hands at the board', () => {
  test('a pulled cable takes port and supply away, plugging in starts anew', async () => {
    const { clock, board, apps, lost, attach, text } = makeBoard();
    await clock.advance(100);
    text();
    board.pullCable();
    expect(lost()).toBe(1);
    expect(board.present).toBe(false);
    expect(apps[0]?.stopped).toBe(true);
    board.reset('software');
    await clock.advance(100);
    expect(apps.length).toBe(1);
    board.plugIn();
    attach();
    await clock.advance(100);
    expect(text()).toContain('rst:0x1');
  });

  test('a power cycle keeps flash and forgets RAM', async () => {
    const { clock, board } = makeBoard({ boot: 'download', instantLine: true });
    await clock.advance(100);
    board.memory.write(0x3ffd_0000, 5);
    board.flash.program(0, Uint8Array.of(7));
    board.pressReset();
    await clock.advance(100);
    expect(board.memory.read(0x3ffd_0000)).toBe(5);
    board.powerCycle();
    await clock.advance(100);
    expect(board.memory.read(0x3ffd_0000)).toBe(0);
    expect(board.snapshot()[0]).toBe(7);
  });
});

describe('faults', () => {
  test('a supply that fails in an erase leaves half a sector and a chip that starts anew', async () => {
    const flash = new Uint8Array(0x10_0000).fill(0x5a);
    const faults = new FaultInjector([{ kind: 'power-cut', operation: 0, share: 0.5 }]);
    const { clock, board, take } = makeBoard({ boot: 'download', instantLine: true, flash, faults });
    await clock.advance(100);
    take();
    board.hostWrites(encodeSlip(wordRequest(0x02, 0x1000, 1, 0x400, 0)));
    await clock.advance(200);
    expect(new TextDecoder().decode(take())).toMatch(/^ets .*\r\n\r\nrst:0x1 /);
    expect(flash[0x7ff]).toBe(0xff);
    expect(flash[0x801]).toBe(0x5a);
  });

  test('a bad sector answers all is well and holds nothing', async () => {
    const faults = new FaultInjector([{ kind: 'bad-sector', sector: 1 }]);
    const { clock, board, take } = makeBoard({ boot: 'download', instantLine: true, faults });
    await clock.advance(100);
    for (const frame of [wordRequest(0x02, 0x400, 1, 0x400, 0x1000), dataRequest(0x03, 0, new Uint8Array(0x400))]) {
      take();
      board.hostWrites(encodeSlip(frame));
      await clock.advance(200);
      expect(decodeAnswers(take())[0]?.body[0]).toBe(0);
    }
    expect(board.flash.isBlank(0x1000, 0x1000)).toBe(true);
  });

  test('a chip that hangs comes back with a reset', async () => {
    const faults = new FaultInjector([{ kind: 'hang', direction: 'to-device', at: 50 }]);
    const { clock, board, take } = makeBoard({ boot: 'download', instantLine: true, faults });
    await clock.advance(100);
    take();
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(50);
    expect(decodeAnswers(take()).length).toBe(8);
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(500);
    expect(take().length).toBe(0);
    board.pressReset();
    await clock.advance(100);
    take();
    board.hostWrites(encodeSlip(SYNC));
    await clock.advance(100);
    expect(decodeAnswers(take()).length).toBe(8);
  });
});

describe('the RTC watchdog', () => {
  const poke = (address: number, value: number): Uint8Array => wordRequest(0x09, address, value, 0xffff_ffff, 0);

  test('restarts a board on USB-OTG, which has no reset line, once the boot button is let go', async () => {
    const { clock, board, apps } = makeBoard({ chip: 'esp32s3', wiring: 'usb-otg', boot: 'download' });
    await clock.advance(100);
    for (const frame of [
      SYNC,
      poke(0x6000_80b0, 0x50d8_3aa1),
      poke(0x6000_809c, 2000),
      poke(0x6000_8098, 0xd000_0102),
    ]) {
      board.hostWrites(encodeSlip(frame));
      await clock.advance(5);
    }
    board.holdBootButton(false);
    expect(apps.length).toBe(0);
    await clock.advance(100);
    expect(apps[0]?.reason).toBe('watchdog');
    expect(board.present).toBe(false);
  });

  test('does nothing while its registers are protected', async () => {
    const { clock, board, apps } = makeBoard({ chip: 'esp32c3', boot: 'download' });
    await clock.advance(100);
    board.holdBootButton(false);
    board.memory.write(0x6000_8094, 2000);
    board.memory.write(0x6000_8090, 0xd000_0102);
    await clock.advance(500);
    expect(apps.length).toBe(0);
  });

  test('goes to download mode when the flag for it is set', async () => {
    const { clock, board } = makeBoard({ chip: 'esp32s3' });
    await clock.advance(100);
    board.memory.write(0x6000_812c, 1);
    board.reset('watchdog');
    expect(board.inDownloadMode).toBe(true);
  });
});
