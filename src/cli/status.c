/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include "base/nearest.h"
#include "base/reasons.h"
#include "cli/json.h"
#include "cli/output.h"

int status_get(struct cli *cli, const Ftl__StatusResponse **ret_status, struct error *err) {
	const Ftl__StatusRequest request = FTL__STATUS_REQUEST__INIT;
	const ProtobufCMessage *response;
	if (cli_connect(cli, NULL, err) < 0)
		return -1;
	if (cli_unary(cli, "Status", &request.base, &ftl__status_response__descriptor, &response, err) < 0)
		return -1;
	*ret_status = (const Ftl__StatusResponse *)response;
	return 0;
}

json_t *status_deployment_to_json(const Ftl__StatusResponse *status,
				  const Ftl__StatusResponse__Deployment *deployment) {
	json_t *object = json_from_message(&deployment->base), *runners = json_array();
	for (size_t i = 0; i < status->n_runners; i++)
		if (strcmp(status->runners[i]->deployment_key, deployment->key) == 0)
			json_array_append_new(runners, json_from_message(&status->runners[i]->base));
	json_object_set_new(object, "runners", runners);
	return object;
}

/* NULL: the module is known. Otherwise "; did you mean "echo"?", or "" where no name is near. */
static const char *meant(struct cli *cli, const Ftl__StatusResponse *status, const char *module) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(module));
	for (size_t i = 0; i < status->n_deployments; i++) {
		if (strcmp(status->deployments[i]->module, module) == 0)
			return NULL;
		nearest_offer(&nearest, arena_strdup(&cli->arena, str_from(status->deployments[i]->module)));
	}
	char hint[NEAREST_HINT_MAX];
	return nearest_hint(&nearest, hint) != NULL ? arena_printf(&cli->arena, "; %s", hint) : "";
}

int status_check_module(struct cli *cli, const Ftl__StatusResponse *status, const char *module, struct error *err) {
	const char *other = meant(cli, status, module);
	if (other == NULL)
		return 0;
	error_set(err, CODE_NOT_FOUND, "there is no module \"%.80s\"%s", module, other);
	return error_set_reason(err, REASON_NO_SUCH_MODULE);
}

void status_warn_of_unknown(struct cli *cli, char *const *modules, size_t count) {
	const Ftl__StatusResponse *status;
	struct error ignored;
	if (count == 0 || status_get(cli, &status, &ignored) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		const char *other = meant(cli, status, modules[i]);
		if (other != NULL && other[0] != '\0')
			output_warning("there is no module \"%.80s\"%s", modules[i], other);
	}
}
