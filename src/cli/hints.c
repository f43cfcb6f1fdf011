/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hints.h"

#include "base/reasons.h"

static const struct {
	const char *reason;
	const char *before, *after; /* of the module's name */
} hints[] = {
	{REASON_NO_SUCH_MODULE, "ftl ps shows the modules that are deployed", NULL},
	{REASON_NO_SUCH_VERB, "ftl schema ", " shows its verbs"},
	{REASON_SCALED_TO_ZERO, "ftl scale ", " 1 starts it"},
	{REASON_STOPPED, "ftl deploy starts it again", NULL},
	{REASON_CALL_LOST, "ftl events ", " shows what happened"},
	{REASON_FAILED, "ftl events ", " shows what happened"},
	{REASON_BACKING_OFF, "ftl events ", " shows what happened"},
	{REASON_NO_EARLIER_DEPLOYMENT, "ftl history ", " shows all deployments"},
	{REASON_BREAKS_CALLERS, "--allow-breaking makes the change all the same", NULL},
	{REASON_SCHEMA_MISFIT,
	 "deploy the module that it names first, or both in one command; if each needs the other, --allow-breaking deploys one of them "
	 "all the same",
	 NULL},
	{REASON_ENTRY_MISSING, "name the entry in ftl.toml: entry = \"…\"", NULL},
	{REASON_TLS_FAILED, "an endpoint without TLS begins with http://", NULL},
	{REASON_TLS_WANTED, "an endpoint with TLS begins with https://", NULL},
	{REASON_CERTIFICATE_NOT_TRUSTED, "--ca names the certificate to trust", NULL},
	{REASON_CERTIFICATE_OTHER_NAME, "--endpoint must have a name that the certificate is for", NULL},
	{REASON_CERTIFICATE_REFUSED, "--cert and --key name a certificate of an authority that the server trusts",
	 NULL},
	{REASON_CLIENT_CERTIFICATE_WANTED, "--cert and --key name the certificate to show", NULL},
	{REASON_ADDRESS_IN_USE, "--bind chooses another address", NULL},
	{REASON_NOT_A_SOCKET, "--bind chooses another path", NULL},
	{REASON_SOCKET_PATH_TOO_LONG, "choose a shorter --data", NULL},
	{REASON_CERTIFICATE_MISSING, "give --tls-cert and --tls-key", NULL},
	{REASON_CERTIFICATE_WITHOUT_KEY, "give --tls-cert and --tls-key", NULL},
	{REASON_DATA_FOLDER_IN_USE, "ftl serve --takeover takes its place", NULL},
	{REASON_NOTHING_TO_TAKE_OVER, "start without --takeover", NULL},
	{REASON_TAKEOVER_OTHER_VERSION, "stop the Backplane that runs, and start without --takeover", NULL},
	{REASON_TAKEOVER_OTHER_ADDRESS, "a takeover keeps the address: leave --bind out", NULL},
	{REASON_TAKEOVER_TLS_ONLY,
	 "leave --tls-client-ca and https:// out, or stop the Backplane that runs, and start without --takeover", NULL},
};

const char *hint_for(const struct error *err, const char *module, struct arena *arena) {
	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (strcmp(err->reason, hints[i].reason) != 0)
			continue;
		if (hints[i].after == NULL)
			return hints[i].before;
		return arena_printf(arena, "%s%s%s", hints[i].before, module != NULL ? module : "MODULE",
				    hints[i].after);
	}
	return NULL;
}
