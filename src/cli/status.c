/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

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
