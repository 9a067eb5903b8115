# Warnings, sanitizers and the compiler cache, applied to every target of the project.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict)  # GCC 12 warns of harmless `"text" + string` (GCC bug 105651)
endif()
if(CMAKE_UNITY_BUILD)  # neither a name of another file nor a class of an included source is what these mean
  add_compile_options(-Wno-shadow)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-subobject-linkage)
  endif()
endif()
if(QUERN_WERROR)
  add_compile_options(-Werror)
endif()
# -ffp-contract=off: fused multiply-adds appear where a kernel asks for them, never by the compiler's choice, so that
# results do not change with the compiler or its version.
add_compile_options(-ffp-contract=off -fno-math-errno)

if(QUERN_SANITIZE)
  add_compile_options(-fsanitize=${QUERN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${QUERN_SANITIZE})
endif()
if(QUERN_FUZZ)  # coverage of the parsers steers the search
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(QUERN_CCACHE ccache)
if(QUERN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${QUERN_CCACHE})
endif()
