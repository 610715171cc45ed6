/** Who a board is, as a line and as a record. */
import { type BoardIdentity } from '#device/identify.ts';
import { flashSizeName } from '#formats/chips.ts';

export function identityText(identity: BoardIdentity): { line: string; record: Record<string, unknown> } {
  const { chip, description, revision, mac, flashId, flashSize, features, crystalMhz, security, usb } = identity;
  const size = flashSize === undefined ? 'flash size unknown' : `${flashSizeName(flashSize)} flash`;
  return {
    line: `${description}, ${mac ?? 'MAC not readable'}, ${size}`,
    record: {
      chip: chip.name,
      description,
      revision: revision && `${revision.major}.${revision.minor}`,
      mac,
      flashId,
      flashSize,
      features,
      crystalMhz,
      security,
      usb,
    },
  };
}
