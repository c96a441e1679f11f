/* SPDX-License-Identifier: MIT */
/* Tests of where models go: at the borders between one choice and the other. */
#include "placement.h"
#include "support.h"

#define GIB (UINT64_C(1) << 30)

static void a_model_that_fills_the_machine_is_not_copied(void **state)
{
    (void)state;
    assert_false(placement_exceeds(8 * GIB, 24 * GIB));
    assert_false(placement_exceeds(10 * GIB / 10 * 9 - 10, 10 * GIB));
    assert_true(placement_exceeds(10 * GIB / 10 * 9, 10 * GIB));
    assert_true(placement_exceeds(333 * GIB, 24 * GIB));
    assert_true(placement_exceeds(UINT64_MAX, UINT64_MAX));
    assert_false(placement_exceeds(333 * GIB, 0)); /* the system does not say */
}

static void a_device_needs_room_beside_the_weights(void **state)
{
    (void)state;
    assert_true(placement_fits(8 * GIB, 10 * GIB));
    assert_false(placement_fits(8 * GIB, 10 * GIB - 1));
    assert_false(placement_fits(8 * GIB, 8 * GIB));
    assert_false(placement_fits(8 * GIB, 0));
    assert_true(placement_fits(0, 0));
    assert_false(placement_fits(UINT64_MAX, UINT64_MAX)); /* a quarter more would wrap round */
}

static void large_models_on_a_device_take_longer_steps(void **state)
{
    (void)state;
    assert_int_equal(placement_step_rows(1117320768, true), 1024);
    assert_int_equal(placement_step_rows(1000000000, true), 1024);
    assert_int_equal(placement_step_rows(999999999, true), 512);
    assert_int_equal(placement_step_rows(1117320768, false), 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_that_fills_the_machine_is_not_copied),
        cmocka_unit_test(a_device_needs_room_beside_the_weights),
        cmocka_unit_test(large_models_on_a_device_take_longer_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
