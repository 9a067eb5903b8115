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
  target_include_directories(quern_isa_${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(quern_isa_${name} PRIVATE OpenMP::OpenMP_CXX)
  target_compile_options(quern_isa_${name} PRIVATE -O3 ${ARGN})
  target_link_libraries(quern_backend_cpu PUBLIC quern_isa_${name} $<TARGET_OBJECTS:quern_isa_${name}>)
endfunction()

quern_isa(scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  quern_isa(avx2 -mavx2 -mfma -mf16c)
  quern_isa(avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c)
  quern_isa(avx512_bf16 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16 -mavx2 -mfma -mf16c)
endif()
