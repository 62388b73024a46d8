import { Alert, AlertActionCloseButton, AlertGroup } from '@patternfly/react-core';
import { dismiss, useNotices } from '../store/notices';

/** What was done or went wrong, for a moment over the page. Errors stay until they are closed. */
export function Notices() {
  const list = useNotices((state) => state.list);
  return (
    <AlertGroup isToast isLiveRegion>
      {list.map(({ key, kind, title, detail }) => (
        <Alert component="p"
          key={key}
          variant={kind}
          title={title}
          timeout={kind === 'danger' ? false : 6000}
          onTimeout={() => dismiss(key)}
          actionClose={<AlertActionCloseButton title={title} onClose={() => dismiss(key)} />}
        >
          {detail}
        </Alert>
      ))}
    </AlertGroup>
  );
}
