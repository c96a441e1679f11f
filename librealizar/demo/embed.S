/* SPDX-License-Identifier: MIT */
/* The demo model's bytes in their own read-only section, page-aligned: nothing is copied at start. */
    .section .rodata.realizar_demo, "a"
    .balign 4096
    .globl realizar_demo_begin
    .hidden realizar_demo_begin
realizar_demo_begin:
    .incbin REALIZAR_DEMO_MODEL
    .globl realizar_demo_end
    .hidden realizar_demo_end
realizar_demo_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
