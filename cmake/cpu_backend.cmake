# The CPU backend: common code, plus one object library per instruction set under isa/. An isa file is compiled with
# its own flags and must instantiate no std template: the linker could hand such a copy to code that runs on a CPU
# without that instruction set (tools/check_isa_symbols.sh).
quern_folder(backend/cpu DEPS backend/api DNNL::dnnl EXCLUDE "/isa/")

function(quern_isa name)
  set(source ${CMAKE_SOURCE_DIR}/src/backend/cpu/isa/${name}.cpp)
  if(NOT EXISTS ${source})
    return()
  endif()
  add_library(quern_isa_${name} OBJECT ${source})
  set_target_properties(quern_isa_${name} PROPERTIES UNITY_BUILD OFF)
  target_include_directories(quern_isa_${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(quern_isa_${name} PRIVATE OpenMP::OpenMP_CXX)
  target_compile_options(quern_isa_${name} PRIVATE -O3 -fno-exceptions ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # _mm512_undefined_ps() of g++ 12's own headers trips this (GCC bug 105593).
    target_compile_options(quern_isa_${name} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  target_sources(quern_backend_cpu PRIVATE $<TARGET_OBJECTS:quern_isa_${name}>)
endfunction()

quern_isa(scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx2_flags -mavx2 -mfma -mf16c)
  set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512vl -mavx512dq)
  quern_isa(avx2 ${avx2_flags})
  quern_isa(avx512 ${avx512_flags})
  quern_isa(avx512_bf16 ${avx512_flags} -mavx512vnni -mavx512bf16)
  quern_isa(amx ${avx512_flags} -mavx512bf16 -mamx-tile -mamx-bf16)
  quern_isa(amx_int8 ${avx512_flags} -mavx512vnni -mamx-tile -mamx-int8)
endif()

add_test(NAME isa_symbols COMMAND ${CMAKE_SOURCE_DIR}/tools/check_isa_symbols.sh ${CMAKE_BINARY_DIR})
set_tests_properties(isa_symbols PROPERTIES LABELS fast)
