/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_session.h"

#include "base/pool.h"
#include "http/h2_receive.h"
#include "http/h2_send.h"

enum { CONNECTION_WINDOW = 16 << 20 };

static nghttp2_session_callbacks *make_callbacks(void) {
	nghttp2_session_callbacks *callbacks;
	int failed = nghttp2_session_callbacks_new(&callbacks);
	ASSERT(failed == 0);
	h2_receive_register(callbacks);
	h2_send_register(callbacks);
	return callbacks;
}

static void *pool_malloc(size_t size, void *unused UNUSED) {
	return pool_alloc(size);
}

static void *pool_calloc(size_t count, size_t size, void *unused UNUSED) {
	return memset(pool_alloc(count * size), 0,
		      count * size); /* nghttp2's counts are small and none of the peer's */
}

static void *pool_resize(void *memory, size_t size, void *unused UNUSED) {
	return pool_realloc(memory, size);
}

static void pool_release(void *memory, void *unused UNUSED) {
	pool_free(memory);
}

static nghttp2_mem from_pool = {.malloc = pool_malloc,
				.calloc = pool_calloc,
				.realloc = pool_resize,
				.free = pool_release};

void h2_start_session(struct h2 *h2) {
	nghttp2_option *option;
	int failed = nghttp2_option_new(&option);
	ASSERT(failed == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	/* A server remembers ended streams, to tell late frames for them from wrong ones. */
	nghttp2_option_set_no_closed_streams(option, !h2->http.is_server);
	/* h2_limits.c counts resets. nghttp2's own limit, 33 a second, would end a Backplane's connection whose clients
	 * give calls up. */
	nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_session_callbacks *callbacks = make_callbacks();
	failed = h2->http.is_server ? nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &from_pool)
				    : nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &from_pool);
	ASSERT(failed == 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->limits.streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->limits.window},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->limits.header_bytes},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};
	/* Only a client sends the last one. */
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				ARRAY_LEN(settings) - (h2->http.is_server ? 1 : 0));
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
	h2_state_move(&h2->state, H2_OPEN);
	transport_start_reading(h2->http.transport);
	h2_mark_dirty(h2);
}
