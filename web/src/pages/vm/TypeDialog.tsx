import { Button, Modal, ModalBody, ModalFooter, ModalHeader, TextArea } from '@patternfly/react-core';
import { useState } from 'react';
import { text } from '../../text';

/** A text that is to be typed into the guest, such as a long password or a command. */
export function TypeDialog({ onType, onClose }: { onType(typed: string): void; onClose(): void }) {
  const [typed, setTyped] = useState('');
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="type-title">
      <ModalHeader title={text.display.type} description={text.display.typeHelp} labelId="type-title" />
      <ModalBody>
        <TextArea aria-label={text.display.typeLabel} rows={5} autoFocus value={typed} onChange={(_, value) => setTyped(value)} />
      </ModalBody>
      <ModalFooter>
        <Button isDisabled={!typed} onClick={() => (onType(typed), onClose())}>
          {text.display.typeSend}
        </Button>
        <Button variant="link" onClick={onClose}>
          {text.common.cancel}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
