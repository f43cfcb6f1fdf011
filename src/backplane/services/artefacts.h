/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods that transfer artefacts: GetArtefactDiffs, UploadArtefact and GetDeploymentArtefacts.
 */
#pragma once

#include "rpc/server.h"

struct context;

void artefacts_service_add(struct context *context, struct rpc_server *server);

/* UploadArtefact for workers, whose owner is the context. It uses data.shared and the options of the context alone. */
extern const struct rpc_method upload_method;

enum upload_state { UPLOAD_RECEIVING, UPLOAD_WRITING, UPLOAD_COMMITTING, UPLOAD_ANSWERED, UPLOAD_STATE_COUNT };

/* Asserts that the diagram has the transition. */
void upload_state_change(enum upload_state *state, enum upload_state next);

/* ResourceExhausted when a request names more artefacts than one request may. */
int artefacts_check_count(size_t count, struct error *err);
