import { Alert, Button, ClipboardCopy, Form, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from '@patternfly/react-core';
import { URI } from 'otpauth';
import qrcode from 'qrcode-generator';
import { useMemo, useState } from 'react';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import type { User } from '../api/types';
import { Row } from '../forms/fields';
import { ask, notify } from '../store/notices';
import { text } from '../text';
import { useCall } from './useCall';
import { useMay } from './useConnection';

const { twoFactor } = text;

interface Renewed {
  twofactor_config: { provisioning_uri: string };
}

/** Give one's own account a second factor, or another one, and show its secret once; or take it away, where the role allows that. */
export default function TwoFactorDialog({ username, onClose }: { username: string; onClose(): void }) {
  const me = useCall<User>('auth.me');
  const mayRemove = useMay('ACCOUNT_WRITE');
  const [changed, setChanged] = useState<boolean | null>(null);
  const [isTried, setTried] = useState(false);
  const isOn = changed ?? me.data?.two_factor_config?.secret_configured ?? false;
  const [uri, setUri] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [wasOn, setWasOn] = useState(false);
  const attempt = async (act: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };
  const renew = async (): Promise<void> => {
    const made = await connection.call<Renewed>('user.renew_2fa_secret', username, {});
    setUri(made.twofactor_config.provisioning_uri);
    setTried(false);
    setWasOn(isOn);
    setChanged(true);
  };
  const remove = async (): Promise<void> => {
    await connection.call('user.unset_2fa_secret', username);
    setUri(null);
    setChanged(false);
  };
  // Nobody is to be locked out by a secret that no app has.
  const leave = async (): Promise<void> => {
    if (!uri || isTried) return onClose();
    if (wasOn) {
      if (await ask({ title: twoFactor.untried, body: twoFactor.untriedBody, confirm: text.common.close, isDangerous: true })) onClose();
      return;
    }
    await attempt(async () => {
      await connection.call('user.unset_2fa_secret', username);
      notify('info', twoFactor.staysOff);
      onClose();
    });
  };
  return (
    <Modal isOpen variant="small" onClose={() => void leave()} aria-labelledby="factor-title">
      <ModalHeader title={twoFactor.title} labelId="factor-title" />
      <ModalBody>
        {error && <Alert component="p" variant="danger" isInline title={error} />}
        {uri ? <Secret uri={uri} onRight={() => setTried(true)} /> : me.data && <p>{isOn ? twoFactor.isOn : twoFactor.isOff}</p>}
        {isOn && !mayRemove && <p className="vs-subtle">{twoFactor.isFixed}</p>}
      </ModalBody>
      <ModalFooter>
        {!uri && (
          <Button isDisabled={isBusy || !me.data} onClick={() => void attempt(renew)}>
            {isOn ? twoFactor.renew : twoFactor.setUp}
          </Button>
        )}
        {isOn && mayRemove && (
          <Button variant="danger" isDisabled={isBusy || !me.data} onClick={() => void attempt(remove)}>
            {twoFactor.remove}
          </Button>
        )}
        <Button variant="link" isDisabled={isBusy} onClick={() => void leave()}>
          {text.common.close}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

function Secret({ uri, onRight }: { uri: string; onRight(): void }) {
  const secret = new URL(uri).searchParams.get('secret') ?? '';
  return (
    <>
      <Alert component="p" isInline variant="info" title={twoFactor.scan} />
      <Picture of={uri} />
      <ClipboardCopy isReadOnly hoverTip={text.common.copy} clickTip={text.common.copied} textAriaLabel={twoFactor.secret}>
        {secret}
      </ClipboardCopy>
      <Trial uri={uri} onRight={onRight} />
    </>
  );
}

/** See whether the app has it right, while another secret can still be made. */
function Trial({ uri, onRight }: { uri: string; onRight(): void }) {
  const [code, setCode] = useState('');
  const [isRight, setRight] = useState<boolean | null>(null);
  const tell = (): void => {
    const app = URI.parse(uri);
    // Also right is what it showed a moment ago, or will in a moment.
    const fits = 'period' in app && app.validate({ token: code.replaceAll(' ', ''), window: 1 }) !== null;
    setRight(fits);
    if (fits) onRight();
  };
  return (
    <Form className="vs-gap" onSubmit={(event) => (event.preventDefault(), tell())}>
      <Row id="trial" label={twoFactor.trial} error={isRight === false ? twoFactor.isWrong : undefined}>
        <div className="vs-size">
          <TextInput
            id="trial"
            inputMode="numeric"
            autoComplete="off"
            value={code}
            validated={isRight === false ? 'error' : 'default'}
            aria-describedby="trial-help"
            onChange={(_, value) => (setCode(value), setRight(null))}
          />
          <Button type="submit" variant="secondary" isDisabled={!code}>
            {twoFactor.tryIt}
          </Button>
        </div>
      </Row>
      {isRight && <Alert component="p" variant="success" isInline isLiveRegion title={twoFactor.isRight} />}
    </Form>
  );
}

/** A QR code, dark on light in every theme: apps do not read the other way round. */
function Picture({ of }: { of: string }) {
  const { size, path } = useMemo(() => {
    const code = qrcode(0, 'M');
    code.addData(of);
    code.make();
    const count = code.getModuleCount();
    const places = [...Array(count * count).keys()].filter((at) => code.isDark(Math.floor(at / count), at % count));
    return { size: count, path: places.map((at) => `M${at % count},${Math.floor(at / count)}h1v1h-1z`).join('') };
  }, [of]);
  return (
    <svg className="vs-qr vs-gap" viewBox={`-4 -4 ${size + 8} ${size + 8}`} role="img" aria-label={twoFactor.picture} shapeRendering="crispEdges">
      <rect x="-4" y="-4" width={size + 8} height={size + 8} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
