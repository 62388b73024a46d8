import { Button, ModalFooter } from '@patternfly/react-core';
import { text } from '../text';

interface Props {
  /** The id of the form that is sent. */
  form: string;
  label: string;
  isBusy?: boolean;
  /** Whether all is there that it takes. */
  isReady?: boolean;
  onClose(): void;
}

/** The foot of a dialog with a form: send it, or leave all as it is. */
export function FormFooter({ form, label, isBusy = false, isReady = true, onClose }: Props) {
  return (
    <ModalFooter>
      <Button type="submit" form={form} isLoading={isBusy} isDisabled={isBusy || !isReady}>
        {label}
      </Button>
      <Button variant="link" onClick={onClose}>
        {text.common.cancel}
      </Button>
    </ModalFooter>
  );
}
