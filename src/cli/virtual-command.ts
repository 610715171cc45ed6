/** `twostep virtual`: a virtual board as a process, for any tool that speaks the boot loader's protocol over TCP. */
import { FIRMWARE_NAMES } from '#sim/firmware/firmwares.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type Command, Option } from 'commander';
import { once } from 'node:events';
import { jsonOption } from './board-options.ts';
import { type CommandContext } from './context.ts';
import { EFUSE_NAMES } from './efuse-option.ts';
import { openFlashFile } from './flash-file.ts';
import { NETWORK_FAULT_FORMS } from './network-fault-option.ts';
import { type Output } from './output.ts';
import { virtualNetwork } from './virtual-network.ts';
import { readVirtualOptions, type VirtualOptions } from './virtual-options.ts';
import { type BoardServer, serveBoard } from './virtual-server.ts';

/**
 * Serves until it is interrupted, which is its ordinary end.
 *
 * @throws {InputError} when an option makes no sense.
 */
async function virtualCommand(options: VirtualOptions, { output, signal }: CommandContext): Promise<void> {
  const wish = readVirtualOptions(options);
  const failed = new AbortController();
  const network = await virtualNetwork(options, {
    clock: wish.board.clock,
    onServes: (http) => output.say('online', { http }, `The board serves http://${http}/`),
    onError: (error) => failed.abort(error),
  });
  const file = await openFlashFile(options.flash, wish.flashSize);
  const board = new VirtualEsp32({ ...wish.board, flash: file.bytes, ...network.board });
  if (network.wifi) network.wifi.board = board;
  const stopSaving = file.keepSaved();
  try {
    const server = await serveBoard(board, wish.faces, network.wifi);
    sayListening(output, { board, flashSize: file.bytes.length, addresses: server.addresses, http: network.http });
    const ended = AbortSignal.any([signal, failed.signal]);
    if (!ended.aborted) await once(ended, 'abort');
    await server.close();
    if (!signal.aborted) throw failed.signal.reason as Error;
  } finally {
    board.powerCut();
    await stopSaving();
  }
}

interface Listening {
  board: VirtualEsp32;
  /** Bytes. */
  flashSize: number;
  addresses: BoardServer['addresses'];
  http: string | undefined;
}

function sayListening(output: Output, { board: { chip }, flashSize, addresses, http }: Listening): void {
  const places = [
    ...(addresses.uart === undefined ? [] : [`UART on ${addresses.uart}`]),
    ...(addresses.control === undefined ? [] : [`modem lines on ${addresses.control}`]),
    ...(addresses.rfc2217 === undefined ? [] : [`all of it on rfc2217://${addresses.rfc2217}`]),
    ...(http === undefined ? [] : [`http://${http}/ once it is online`]),
  ];
  const fields = { chip: chip.name, flashSize, ...addresses, ...(http !== undefined && { http }) };
  output.say('listening', fields, `A virtual ${chip.name}: ${places.join(', ')}`);
}

const EXAMPLES = `
A board has to be flashed before it does anything. Two of them on the network, each in a window of its own:
  twostep flash build/ --data voices.bin --port virtual:esp32@one.bin
  cp one.bin two.bin
  twostep virtual --chip esp32 --flash one.bin --http 127.0.0.2:8080 --firmware seed --mac 24:0a:c4:00:00:02
  twostep virtual --chip esp32 --flash two.bin --http 127.0.0.3:8080 --firmware seed --mac 24:0a:c4:00:00:03
  twostep update build/ --data voices.bin --board 127.0.0.2:8080 127.0.0.3:8080 --plan
A station that finds them by itself:
  twostep serve --virtual-boards 8080`;

export function addVirtualCommand(program: Command, context: CommandContext): void {
  program
    .command('virtual')
    .description('a virtual board as a process, with its UART, modem lines and baud rate on TCP ports')
    .requiredOption('--chip <chip>', 'esp32, esp32s3 or esp32c3')
    .option('--flash <file>', 'keep the flash in this file; made when it does not exist')
    .option('--flash-size <size>', 'size of the flash', '4MB')
    .option('--listen <address>', 'HOST:PORT of the UART (127.0.0.1:5555 unless --rfc2217 or --http is given)')
    .option('--control <address>', 'HOST:PORT of modem lines and baud rate, as JSON lines')
    .option('--rfc2217 <address>', 'HOST:PORT of UART, modem lines and baud rate by RFC 2217, for pyserial and esptool')
    .addOption(
      new Option('--boot <how>', 'whether the boot button is held at power-on')
        .choices(['download', 'normal'])
        .default('normal'),
    )
    .option('--http <address>', 'HOST:PORT where the board serves on the network; HOST is its own, such as 127.0.0.2')
    .option('--firmware <name>', `what its apps do: ${FIRMWARE_NAMES.join(', ')}`, 'house')
    .option('--wifi <ssid:password>', 'the network that the board finds; with --http any that it looks for')
    .option('--network-fault <faults>', `what goes wrong on it, with commas between: ${NETWORK_FAULT_FORMS}`)
    .addOption(
      new Option(
        '--wiring <how>',
        'a USB bridge, or the USB of the chip itself, which leaves and returns at each reset',
      )
        .choices(['uart', 'usb-serial-jtag'])
        .default('uart'),
    )
    .option('--speed <factor>', 'so many times faster than a real board: its line, its flash, its network', '1')
    .option('--efuse <names>', `eFuses that are burnt, with commas between: ${EFUSE_NAMES.join(', ')}`)
    .option('--mac <address>', 'its MAC, such as 24:0a:c4:00:00:02: boards of one chip have the same otherwise')
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLES)
    .action((options: VirtualOptions) => virtualCommand(options, context));
}
