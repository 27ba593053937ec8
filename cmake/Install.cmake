# What `cmake --install` puts where, beside the program itself.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_SYSCONFDIR}")
  set(CMAKE_INSTALL_SYSCONFDIR /etc)
  set(CMAKE_INSTALL_FULL_SYSCONFDIR /etc)
endif()
set(DROVER_CONFIG ${CMAKE_INSTALL_FULL_SYSCONFDIR}/drover/drover.toml)
set(DROVER_UNIT ${CMAKE_BINARY_DIR}/packaging/drover.service)

file(READ packaging/drover.service unit)
# Not configure_file: the unit's own "@system-service" must stay.
foreach(name CMAKE_INSTALL_FULL_BINDIR CMAKE_INSTALL_FULL_DOCDIR DROVER_CONFIG)
  string(REPLACE "@${name}@" "${${name}}" unit "${unit}")
endforeach()
file(WRITE ${DROVER_UNIT} "${unit}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS packaging/drover.service)

install(FILES ${DROVER_UNIT} DESTINATION lib/systemd/system)
install(FILES packaging/drover.sysusers DESTINATION lib/sysusers.d RENAME drover.conf)
# Laid out as in the source tree, so that the links from page to page lead somewhere.
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES config/iam-policy.json config/drover.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/config)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
# A configuration that is there already is somebody's; the new one lies beside it as an example.
install(FILES config/drover.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/drover RENAME drover.toml.example)
set(destination ${CMAKE_INSTALL_SYSCONFDIR})
if(NOT IS_ABSOLUTE ${destination})
  set(destination "\${CMAKE_INSTALL_PREFIX}/${destination}")
endif()
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}${destination}/drover/drover.toml\")
    file(INSTALL FILES \"${CMAKE_SOURCE_DIR}/config/drover.toml\" DESTINATION \"${destination}/drover\")
  endif()")
