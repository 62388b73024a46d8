import {
  Alert,
  Brand,
  Button,
  Form,
  FormGroup,
  FormHelperText,
  HelperText,
  HelperTextItem,
  Login as LoginFrame,
  LoginFooter,
  LoginHeader,
  LoginMainBody,
  LoginMainHeader,
  TextInput,
  Title,
} from '@patternfly/react-core';
import { type FormEvent, useEffect, useState } from 'react';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import type { LoginAnswer } from '../api/types';
import { useConnection } from '../parts/useConnection';
import { text } from '../text';

type Way = 'password' | 'key' | 'code';

export function Login() {
  const { reason, status } = useConnection();
  const [way, setWay] = useState<Way>('password');
  const [username, setUsername] = useState('');
  const [secret, setSecret] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  const attempt = (): Promise<LoginAnswer> => {
    if (way === 'code') return connection.loginWithCode(secret);
    const how =
      way === 'key'
        ? { mechanism: 'API_KEY_PLAIN', username, api_key: secret }
        : { mechanism: 'PASSWORD_PLAIN', username, password: secret };
    return connection.login(how);
  };
  const take = ({ response_type }: LoginAnswer): void => {
    if (response_type === 'SUCCESS') return;
    setSecret('');
    if (response_type === 'OTP_REQUIRED') {
      setError(way === 'code' ? text.login.wrongCode : null);
      setWay('code');
    } else if (response_type === 'EXPIRED') {
      setError(text.login.expired);
    } else {
      setError({ password: text.login.wrong, key: text.login.wrongKey, code: text.login.wrongCode }[way]);
      if (way === 'code') setWay('password');
    }
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      take(await attempt());
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };
  const choose = (other: Way): void => {
    setWay(other);
    setSecret('');
    setError(null);
  };
  useEffect(() => {
    // The password that the code belongs to was told on the connection that is gone.
    if (status === 'lost') setWay((old) => (old === 'code' ? 'password' : old));
  }, [status]);
  const label = { password: text.login.password, key: text.login.key, code: text.login.code }[way];
  return (
    <LoginFrame
      header={<LoginHeader headerBrand={<Brand src="/ui/icon.svg" alt={text.product} className="vs-login-brand" />} />}
      footer={
        <LoginFooter>
          <p>{text.login.firstUser}</p>
        </LoginFooter>
      }
    >
      <LoginMainHeader>
        <Title headingLevel="h1" size="3xl">
          {text.login.title}
        </Title>
        <p className="pf-v6-c-login__main-header-desc">{text.login.subtitle}</p>
      </LoginMainHeader>
      <LoginMainBody>
        <Form onSubmit={(event) => void submit(event)}>
          {error && <Alert component="p" variant="danger" isInline isLiveRegion title={error} />}
          {status === 'lost' && <Alert component="p" variant="warning" isInline isLiveRegion title={text.connection.unreachable} />}
          {!error && reason === 'ended' && <Alert component="p" variant="info" isInline title={text.login.ended} />}
          {way !== 'code' && (
            <FormGroup label={text.login.username} fieldId="username" isRequired>
              <TextInput id="username" name="username" autoComplete="username" autoFocus isRequired value={username} onChange={(_, value) => setUsername(value)} />
            </FormGroup>
          )}
          <FormGroup label={label} fieldId="secret" isRequired>
            <TextInput
              id="secret"
              key={way}
              name={way}
              type={way === 'code' ? 'text' : 'password'}
              inputMode={way === 'code' ? 'numeric' : undefined}
              autoComplete={way === 'password' ? 'current-password' : way === 'code' ? 'one-time-code' : 'off'}
              autoFocus={way === 'code'}
              isRequired
              value={secret}
              onChange={(_, value) => setSecret(value)}
            />
            {way === 'code' && (
              <FormHelperText>
                <HelperText>
                  <HelperTextItem>{text.login.codeHelp}</HelperTextItem>
                </HelperText>
              </FormHelperText>
            )}
          </FormGroup>
          <Button type="submit" isBlock isLoading={isBusy} isDisabled={isBusy || !secret || (way !== 'code' && !username)}>
            {text.login.submit}
          </Button>
          <Button variant="link" isBlock onClick={() => choose(way === 'password' ? 'key' : 'password')}>
            {way === 'password' ? text.login.withKey : way === 'key' ? text.login.withPassword : text.login.back}
          </Button>
        </Form>
      </LoginMainBody>
    </LoginFrame>
  );
}
