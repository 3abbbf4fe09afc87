/*
 * test_render.c - files of one record, of a whole segment, and of all segments.
 */
#include "render_fixture.h"

#define RECORD(n, time) \
    "{\"pos\":" #n ",\"time\":" #time ",\"tag\":" #n ",\"data\":{\"n\":" #n "}}\n"

typedef int renderer(struct request *request, struct kymo_text *text);

static int render_error(struct request *request, renderer *render)
{
    struct kymo_text text = {0};
    int error = render(request, &text);

    kymo_text_free(&text);
    return error;
}

static void expect_text(struct request *request, renderer *render, const char *content)
{
    struct kymo_text text = {0};
    int error = render(request, &text);

    cr_assert_eq(error, 0, "%s", kymo_error_text(error));
    cr_assert_str_eq(text.data, content);
    kymo_text_free(&text);
}

static size_t text_length(struct request *request, renderer *render)
{
    struct kymo_text text = {0};
    int error = render(request, &text);
    const size_t len = text.len;

    cr_assert_eq(error, 0, "%s", kymo_error_text(error));
    kymo_text_free(&text);
    return len;
}

/* ---- one record ---- */

Test(render, record_is_a_line_of_json_or_its_payload, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64", 3);
    begin_request(&request, "s");
    request.find = find_newest;
    expect_text(&request, render_record, RECORD(2, 20));
    request.raw = true;
    cr_assert_eq(text_length(&request, render_record), 8);
    end_request(&request);
}

Test(render, record_that_remains_overwritten_is_stale, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64", 3);
    set_sequence("s", 2, 999);
    begin_request(&request, "s");
    request.find = find_newest;
    cr_assert_eq(render_error(&request, render_record), -ESTALE);
    request.raw = true;
    cr_assert_eq(render_error(&request, render_record), -ESTALE);
    end_request(&request);
}

Test(render, field_is_its_values, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64,v:u8[3]", 3);
    begin_request(&request, "s");
    request.find = find_newest;
    request.number = render_field_number(0, 0);
    expect_text(&request, render_field, "2\n");
    request.number = render_field_number(1, 1);
    expect_text(&request, render_field, "0\n");
    request.number = render_field_number(1, RENDER_WHOLE_FIELD);
    expect_text(&request, render_field, "0\n0\n0\n");
    end_request(&request);
}

Test(render, interp_has_both_records_and_interpolated_values, .init = open_fixture,
     .fini = close_fixture)
{
    static const char content[] =
        "{\"time\":15,\"alpha\":0.5,\"data\":{\"n\":1.5},\"before\":{\"pos\":1,\"time\":10,\"tag\":"
        "1,\"data\":{\"n\":1}},\"after\":{\"pos\":2,\"time\":20,\"tag\":2,\"data\":{\"n\":2}}}\n";
    struct request request;

    publish("s", "n:u64", 3);
    publish("none", "n:u64", 0);
    begin_request(&request, "s");
    request.query.time = 15;
    expect_text(&request, render_interp, content);
    request.query.time = 21;
    cr_assert_eq(render_error(&request, render_interp), -EDOM);
    end_request(&request);
    begin_request(&request, "none");
    cr_assert_eq(render_error(&request, render_interp), -ENODATA);
    end_request(&request);
}

/* ---- limits ---- */

static const char longest_fields[] = "a:f64[8],b:f32[8],c:i64[8],d:u64[8],e:i8[8],f:bool[8],"
                                     "g:char[64],h:char[2][8],i:f64[2][2][2]";

static void fill_longest(const struct kymo_schema *schema, unsigned char *payload, size_t size)
{
    const double longest = -2.2250738585072014e-308;
    const float longest_single = -1.17549435e-38f;
    const int64_t least = INT64_MIN;

    memset(payload, 0x01, size); /* texts of \u0001 */
    for (size_t i = 0; i < 8; i++) {
        memcpy(payload + schema->fields[0].offset + 8 * i, &longest, 8);
        memcpy(payload + schema->fields[1].offset + 4 * i, &longest_single, 4);
        memcpy(payload + schema->fields[2].offset + 8 * i, &least, 8);
        memset(payload + schema->fields[3].offset + 8 * i, 0xff, 8);
        payload[schema->fields[4].offset + i] = 0x80;
        memcpy(payload + schema->fields[8].offset + 8 * i, &longest, 8);
    }
}

static void publish_longest(const char *name)
{
    struct kymo_schema *schema;
    struct kymo_writer *writer;
    struct kymo_options options = {.clock = KYMO_REALTIME,
                                   .first = KYMO_POSITION_LIMIT - 2,
                                   .mode = 0644};
    unsigned char payload[1024];

    cr_assert_eq(kymo_schema_parse(&schema, longest_fields, NULL), 0);
    fill_longest(schema, payload, sizeof(payload));
    options.schema = schema;
    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, payload, schema->size, UINT64_MAX / 2, UINT64_MAX), 0);
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

Test(limit, covers_the_longest_values, .init = open_fixture, .fini = close_fixture)
{
    static const uint64_t numbers[] = {(uint64_t)6 << 32, 0, (uint64_t)8 << 32 | 7,
                                       (uint64_t)7 << 32 | RENDER_WHOLE_FIELD};
    struct request request;

    publish_longest("s");
    begin_request(&request, "s");
    request.find = find_newest;
    request.query.time = UINT64_MAX / 2;
    cr_assert_leq(text_length(&request, render_record), render_record_limit(&request));
    cr_assert_leq(text_length(&request, render_info), render_info_limit(&request));
    cr_assert_leq(text_length(&request, render_interp), render_interp_limit(&request));
    for (size_t i = 0; i < 4; i++) {
        request.number = numbers[i];
        cr_assert_leq(text_length(&request, render_field), render_field_limit(&request));
    }
    end_request(&request);
}

static void expect_too_large(struct request *request, renderer *render)
{
    const uint64_t before = resident();

    cr_assert_eq(render_error(request, render), -EFBIG);
    cr_assert_lt(resident(), before + (8 << 20));
}

/* F: a sparse segment can declare any size. */
Test(limit, rejects_records_larger_than_memory, .init = open_fixture, .fini = close_fixture)
{
    static const char *const names[] = {"fields", "bytes"};
    struct request request;

    publish_sparse("fields", "v:u8[1073741824]", 2, 0, 1 << 30);
    publish_sparse("bytes", NULL, 2, 1 << 30, 1 << 30);
    for (size_t i = 0; i < 2; i++) {
        begin_request(&request, names[i]);
        request.find = find_newest;
        request.query.time = 10;
        request.number = render_field_number(0, RENDER_WHOLE_FIELD);
        expect_too_large(&request, render_record);
        expect_too_large(&request, render_interp);
        if (i == 0)
            expect_too_large(&request, render_field);
        request.raw = true;
        expect_too_large(&request, render_record);
        cr_assert_eq(render_error(&request, render_schema), 0);
        cr_assert_eq(render_error(&request, render_info), 0);
        end_request(&request);
    }
    publish_sparse("short", NULL, 2, 1 << 30, 3);
    begin_request(&request, "short");
    request.find = find_newest;
    expect_text(&request, render_record, "{\"pos\":0,\"time\":10,\"tag\":0,\"data\":\"000000\"}\n");
    request.raw = true;
    cr_assert_eq(text_length(&request, render_record), 3);
    end_request(&request);
}

Test(limit, rejects_records_beyond_the_share_of_a_user, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct shares *shares;

    cr_assert_eq(shares_open(&shares, 6 << 20), 0);
    publish_sparse("s", NULL, 2, 5 << 20, 5 << 20);
    begin_request(&request, "s");
    request.find = find_newest;
    request.raw = true;
    request.budget.charge.shares = shares;
    cr_assert_eq(render_error(&request, render_record), -ENOMEM);
    request.budget.charge.shares = NULL;
    cr_assert_eq(text_length(&request, render_record), 5 << 20);
    end_request(&request);
    cr_assert_eq(shares_held(shares), 0);
    shares_close(shares);
}

/* ---- charges ---- */

Test(charge, grows_to_the_share_and_is_released)
{
    struct shares *shares;
    struct charge charge = {NULL, 7, 0};

    cr_assert_eq(shares_open(&shares, 1 << 20), 0);
    charge.shares = shares;
    cr_assert_eq(charge_grow(&charge, 400000), 0);
    cr_assert_eq(charge_grow(&charge, 100), 0);
    cr_assert_eq(shares_held(shares), 400000);
    cr_assert_eq(charge_grow(&charge, 700000), -ENOMEM);
    cr_assert_eq(shares_held(shares), 400000);
    charge_shrink(&charge, 1000);
    cr_assert_eq(shares_held(shares), 1000);
    charge_release(&charge);
    cr_assert_eq(shares_held(shares), 0);
    /* Small amounts always succeed. */
    cr_assert(shares_take(shares, 8, 500000));
    cr_assert(shares_take(shares, 9, 200000));
    cr_assert(shares_take(shares, 7, 150000));
    cr_assert_eq(charge_grow(&charge, CHARGE_SMALL), 0);
    cr_assert_eq(charge_grow(&charge, 2 * CHARGE_SMALL), -ENOMEM);
    charge_release(&charge);
    shares_return(shares, 7, 150000);
    shares_return(shares, 8, 500000);
    shares_return(shares, 9, 200000);
    shares_close(shares);
}

/* ---- pictures ---- */

static int refuse_to_wait(struct budget *budget)
{
    (void)budget;
    return -EINTR;
}

static void publish_frame(const char *name)
{
    const struct kymo_geometry geometry = {.width = 64,
                                           .height = 32,
                                           .stride = 64,
                                           .format = KYMO_GRAY8};
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .geometry = &geometry,
                                         .size = kymo_image_size(&geometry),
                                         .mode = 0644};
    static unsigned char frame[64 * 32];
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, frame, sizeof(frame), 1, 1), 0);
    kymo_writer_close(writer);
}

Test(render, picture_is_a_png, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_text text = {0};
    struct request request;

    publish_frame("s");
    begin_request(&request, "s");
    request.find = find_newest;
    cr_assert(render_has_picture(&request));
    cr_assert_not(render_has_plot(&request));
    cr_assert_eq(render_picture(&request, &text), 0);
    cr_assert_eq(memcmp(text.data, "\x89PNG\r\n", 6), 0);
    kymo_text_free(&text);
    request.budget.pause = refuse_to_wait;
    cr_assert_eq(render_error(&request, render_picture), -EINTR);
    end_request(&request);
}

Test(render, plot_is_an_svg, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_text text = {0};
    struct request request;

    publish("s", "n:u64,v:f32[3]", 50);
    begin_request(&request, "s");
    cr_assert(render_has_plot(&request));
    cr_assert_not(render_has_picture(&request));
    cr_assert_eq(render_plot(&request, &text), 0);
    cr_assert_eq(strncmp(text.data, "<svg ", 5), 0);
    cr_assert_not_null(strstr(text.data, "50 records"));
    kymo_text_free(&text);
    request.budget.pause = refuse_to_wait;
    cr_assert_eq(render_error(&request, render_plot), -EINTR);
    end_request(&request);
}

/* ---- metrics ---- */

static struct kymo_text metrics_for(uint32_t uid, uint64_t *modified)
{
    struct request request = {.registry = registry, .credentials = {.uid = uid, .gid = uid}};
    struct kymo_text text = {0};

    cr_assert_eq(render_metrics(&request, &text, modified), 0);
    credentials_free(&request.credentials);
    return text;
}

/* K: metrics hold only what the caller may read. */
Test(metrics, hold_only_what_the_caller_may_read, .init = open_fixture, .fini = close_fixture)
{
    const uint64_t day = UINT64_C(86400000000000);
    struct kymo_text text;
    uint64_t modified;

    publish_at("open", KYMO_REALTIME, day);
    publish_at("closed", KYMO_REALTIME, 2 * day);
    cr_assert_eq(chmod(private_path("closed"), 0600), 0);
    text = metrics_for(getuid() + 1, &modified);
    cr_assert_not_null(strstr(text.data, "segment=\"open\""));
    cr_assert_null(strstr(text.data, "segment=\"closed\""));
    cr_assert_not_null(strstr(text.data, "\nkymofs_segments 1\n"));
    cr_assert_eq(modified, day);
    kymo_text_free(&text);
    text = metrics_for(getuid(), &modified);
    cr_assert_not_null(strstr(text.data, "segment=\"closed\""));
    cr_assert_not_null(strstr(text.data, "\nkymofs_segments 2\n"));
    cr_assert_eq(modified, 2 * day);
    kymo_text_free(&text);
}

Test(metrics, leave_out_the_largest_segments_beyond_the_limit, .init = open_fixture,
     .fini = close_fixture)
{
    char fields[16384] = "a0:u8[64]";
    struct kymo_text text;
    uint64_t modified;
    char name[16];

    for (int i = 1; i < 1000; i++)
        snprintf(fields + strlen(fields), 16, ",a%d:u8[64]", i);
    for (int i = 0; i < 17; i++) { /* 65,014 samples each */
        snprintf(name, sizeof(name), "large%d", i);
        publish(name, fields, 1);
    }
    publish("small", "n:u64", 1);
    text = metrics_for(getuid(), &modified);
    cr_assert_not_null(strstr(text.data, "\nkymofs_segments 1\n"));
    cr_assert_not_null(strstr(text.data, "\nkymofs_segments_left_out 17\n"));
    cr_assert_not_null(strstr(text.data, "\nkymo_field{segment=\"small\""));
    kymo_text_free(&text);
}

Test(metrics, name_requests, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_text text;
    uint64_t modified;

    counter_add_request(52);
    counter_add_request(63);
    text = metrics_for(getuid(), &modified);
    cr_assert_not_null(strstr(text.data, "kymofs_requests_total{request=\"statx\"} 1\n"));
    cr_assert_not_null(strstr(text.data, "kymofs_requests_total{request=\"63\"} 1\n"));
    cr_assert_eq(modified, 0);
    kymo_text_free(&text);
}
