import { expect, test } from 'vitest';
import { diagnoseSilence } from '#device/connect-diagnosis.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ['nothing', '', 'silent', undefined],
  [
    'normal boot',
    'ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x3fff0030,len:4112\r\n',
    'normal-boot',
    0x13,
  ],
  [
    'download mode without an answer',
    'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n',
    'download-no-reply',
    3,
  ],
  [
    'download mode once, then normal boots',
    'rst:0x1 (POWERON),boot:0x7 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n',
    'download-no-reply',
    7,
  ],
  ['download mode of another ROM', 'boot:0xf (UART_BOOT(UART0))\r\n', 'download-no-reply', 0xf],
  [
    'the app goes on',
    'I (10234) app: temperature 21.5\r\nI (11234) app: temperature 21.5\r\n',
    'normal-boot',
    undefined,
  ],
])('%s', (_, text, code, bootMode) => {
  const error = diagnoseSilence(bytes(text));
  expect(error.code).toBe(code);
  expect(error.details.bootMode).toBe(bootMode);
  expect(error.details.text).toBe(text);
});

test('bytes that are no text', () => {
  expect(diagnoseSilence(Uint8Array.from({ length: 200 }, (_, index) => (index * 37) | 0x80)).code).toBe('unreadable');
});
