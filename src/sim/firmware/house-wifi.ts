/**
 * How a station joins the simulated access point, with the lines that ESP-IDF's Wi-Fi driver and its station example
 * print. Reasons: `wifi_err_reason_t` in ESP-IDF, components/esp_wifi/include/esp_wifi_types_generic.h.
 */
import { toHex } from '#formats/bytes.ts';
import { wifiPmk } from '#formats/nvs/wifi-credentials.ts';
import { info, type LogLine } from '#sim/boot/log-line.ts';
import { type AccessPoint, type SimNetwork } from '#sim/machine.ts';

/** Why the access point and the station did not come together. */
export const WifiReason = {
  FourWayHandshakeTimeout: 15,
  NoApFound: 201,
  NoApWithCompatibleSecurity: 210,
  NoApInAuthmodeThreshold: 211,
} as const;
export type WifiReason = (typeof WifiReason)[keyof typeof WifiReason];

export const WIFI_REASON_NAMES: Record<WifiReason, string> = {
  [WifiReason.FourWayHandshakeTimeout]: '4WAY_HANDSHAKE_TIMEOUT',
  [WifiReason.NoApFound]: 'NO_AP_FOUND',
  [WifiReason.NoApWithCompatibleSecurity]: 'NO_AP_FOUND_W_COMPATIBLE_SECURITY',
  [WifiReason.NoApInAuthmodeThreshold]: 'NO_AP_FOUND_IN_AUTHMODE_THRESHOLD',
};

const DEFAULT_ADDRESS = '192.168.1.57';

/** Of a firmware that was built for the network that is there. */
export function builtInCredentials({ accessPoint }: SimNetwork): AccessPoint {
  return accessPoint === undefined || accessPoint === 'any' ? { ssid: 'workshop', password: '' } : accessPoint;
}

/** The access point has gone, or is back. The driver reconnects by itself; connections live on where it does not take too long. */
export const linkLine = (present: boolean): LogLine =>
  present ? info('wifi', 'state: assoc -> run (0x10)') : info('wifi', 'state: run -> init (0xc800)');

/** Lines of one try, each with the milliseconds that pass before it. */
export interface JoinTry {
  lines: { after: number; line: LogLine }[];
  outcome: { joined: true; address: string } | { joined: false; reason: WifiReason };
}

/** What happens when a station with these credentials tries to join. */
export function tryToJoin(network: SimNetwork, { ssid, password }: AccessPoint): JoinTry {
  const accessPoint = network.accessPoint === 'any' ? { ssid, password } : network.accessPoint;
  const scan = { after: 2400, line: info('wifi', 'new:<1,0>, old:<1,0>, ap:<255,255>, sta:<1,0>, prof:1') };
  const fails = (reason: WifiReason, lines: JoinTry['lines'] = [scan]): JoinTry => {
    return { lines, outcome: { joined: false, reason } };
  };
  if (accessPoint?.ssid !== ssid) return fails(WifiReason.NoApFound);
  if (accessPoint.password !== '' && password === '') return fails(WifiReason.NoApWithCompatibleSecurity);
  // With a password the driver asks for WPA2 at least.
  if (accessPoint.password === '' && password !== '') return fails(WifiReason.NoApInAuthmodeThreshold);
  const associated = [
    { after: 700, line: info('wifi', 'new:<6,0>, old:<1,0>, ap:<255,255>, sta:<6,0>, prof:1') },
    { after: 2, line: info('wifi', 'state: init -> auth (0xb0)') },
    { after: 10, line: info('wifi', 'state: auth -> assoc (0x0)') },
    { after: 10, line: info('wifi', 'state: assoc -> run (0x10)') },
  ];
  if (!isRightPassword(accessPoint, password)) {
    const gaveUp = { after: 3000, line: info('wifi', 'state: run -> init (0xf00)') };
    return fails(WifiReason.FourWayHandshakeTimeout, [...associated, gaveUp]);
  }
  const address = network.address ?? DEFAULT_ADDRESS;
  const security = password === '' ? 'Open' : 'WPA2-PSK';
  return {
    lines: [
      ...associated,
      { after: 30, line: info('wifi', `connected with ${ssid}, aid = 1, channel 6, BW20`) },
      { after: 1, line: info('wifi', `security: ${security}, phy: bgn, rssi: -52`) },
      { after: 1, line: info('wifi', 'pm start, type: 1') },
      {
        after: 1000,
        line: info('esp_netif_handlers', `sta ip: ${address}, mask: 255.255.255.0, gw: ${gatewayOf(address)}`),
      },
    ],
    outcome: { joined: true, address },
  };
}

/** As text, or as the 64 hex digits of the key that is derived from it. */
function isRightPassword(accessPoint: { ssid: string; password: string }, password: string): boolean {
  if (password === accessPoint.password) return true;
  return (
    /^[0-9a-f]{64}$/i.test(password) &&
    toHex(wifiPmk(accessPoint.ssid, accessPoint.password)) === password.toLowerCase()
  );
}

const gatewayOf = (address: string): string => address.replace(/\d+$/, '1');
