/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key and a certificate for 127.0.0.1 that signs itself, as files of a folder of their own.
 */
#pragma once

struct certificate {
	char folder[32], cert_file[64], key_file[64];
};

void certificate_make(struct certificate *certificate);
void certificate_remove(struct certificate *certificate);
